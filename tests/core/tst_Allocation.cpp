// Every allocation of loading, analysing, saving and reading back fails once, one at a time, each in a
// process of its own: there is always an answer, never a crash, and no file is left half-written. The same
// for what the engine's thread does around the engine. Allocations are operator new, the aligned ones of
// matrices, and those of the pattern and hash libraries. Left out are two libraries that nobody outside of
// them can help: the OpenMP runtime ends the process when it has no memory for a team, and oneDNN, when it
// makes a kernel, takes another one with other rounding or never returns.
//
// By default some 120 of each phase, evenly spread. FOVEA_ALLOCATIONS=all tries each one (minutes),
// FOVEA_ALLOCATIONS=N only the N-th and shows where it is.
#include "core/engine/LatestWorker.h"
#include "core/export/Report.h"
#include "core/export/Session.h"
#include "core/files/AtomicFile.h"
#include "core/policy/PolicyJson.h"
#include "tests/support/TinyModel.h"
#include <QTest>
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <dirent.h>
#include <execinfo.h>
#include <fstream>
#include <functional>
#include <link.h>
#include <mutex>
#include <new>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FOVEA_OWN_ALLOCATOR 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FOVEA_OWN_ALLOCATOR 1
#endif
#endif

namespace {

std::atomic<long> g_count = 0;     // allocations since armed
std::atomic<long> g_failing = 0;   // the one that fails; 0: none
std::atomic<bool> g_armed = false; // while the attempt runs

bool g_showStack = false; // of the allocation that fails

struct Range {
    std::uintptr_t first = 0, last = 0;
    [[nodiscard]] bool has(const void* code) const {
        const auto at = reinterpret_cast<std::uintptr_t>(code);
        return at >= first && at < last;
    }
};
std::array<Range, 8> g_callers; // code whose malloc counts
Range g_dense;                  // oneDNN: without memory it falls back to another kernel, or never returns

bool failsNow() {
    if (!g_armed || ++g_count != g_failing)
        return false;
    g_armed = false; // what follows may allocate
    std::array<void*, 60> stack{};
    const int depth = backtrace(stack.data(), static_cast<int>(stack.size()));
    const bool dense =
        std::any_of(stack.begin(), stack.begin() + depth, [](const void* code) { return g_dense.has(code); });
    if (g_showStack)
        backtrace_symbols_fd(stack.data(), depth, STDERR_FILENO);
    g_armed = true;
    return !dense;
}

#ifndef FOVEA_OWN_ALLOCATOR
/// The program itself (core is linked into it) and the libraries that core hands its failures to.
int noteCaller(dl_phdr_info* info, std::size_t, void* data) {
    std::size_t& count = *static_cast<std::size_t*>(data);
    const std::string name = info->dlpi_name;
    const bool own = name.empty();
    if (name.find("libdnnl") != std::string::npos)
        for (int i = 0; i < info->dlpi_phnum; ++i)
            if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X) != 0)
                g_dense = {info->dlpi_addr + info->dlpi_phdr[i].p_vaddr,
                           info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz};
    if (!own && name.find("libpcre2-8") == std::string::npos && name.find("libcrypto") == std::string::npos)
        return 0;
    for (int i = 0; i < info->dlpi_phnum && count < g_callers.size(); ++i)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X) != 0) {
            const std::uintptr_t first = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            g_callers[count++] = {first, first + info->dlpi_phdr[i].p_memsz};
        }
    return 0;
}

bool counts(const void* caller) {
    if (!g_armed)
        return false;
    for (const Range& range : g_callers)
        if (range.has(caller))
            return true;
    return false;
}
#endif

} // namespace

#ifndef FOVEA_OWN_ALLOCATOR
extern "C" {
void* __libc_malloc(std::size_t);                // NOLINT: glibc's names for its own
void* __libc_calloc(std::size_t, std::size_t);   // NOLINT
void* __libc_realloc(void*, std::size_t);        // NOLINT
void* __libc_memalign(std::size_t, std::size_t); // NOLINT

void* malloc(std::size_t bytes) {
    if (counts(__builtin_return_address(0)) && failsNow()) {
        errno = ENOMEM;
        return nullptr;
    }
    return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
    if (counts(__builtin_return_address(0)) && failsNow()) {
        errno = ENOMEM;
        return nullptr;
    }
    return __libc_calloc(count, bytes);
}
void* realloc(void* old, std::size_t bytes) {
    if (counts(__builtin_return_address(0)) && failsNow()) {
        errno = ENOMEM;
        return nullptr;
    }
    return __libc_realloc(old, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
    if (counts(__builtin_return_address(0)) && failsNow()) {
        errno = ENOMEM;
        return nullptr;
    }
    return __libc_memalign(alignment, bytes);
}
}

void* operator new(std::size_t bytes) {
    if (failsNow())
        throw std::bad_alloc();
    if (void* memory = __libc_malloc(bytes > 0 ? bytes : 1))
        return memory;
    throw std::bad_alloc();
}
void* operator new[](std::size_t bytes) {
    return operator new(bytes);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    if (failsNow())
        throw std::bad_alloc();
    if (void* memory = __libc_memalign(static_cast<std::size_t>(alignment), bytes > 0 ? bytes : 1))
        return memory;
    throw std::bad_alloc();
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
    return operator new(bytes, alignment);
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    return failsNow() ? nullptr : __libc_malloc(bytes > 0 ? bytes : 1);
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
    return failsNow() ? nullptr : __libc_malloc(bytes > 0 ? bytes : 1);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete[](void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}
#endif

using namespace fovea;

namespace {

using SnapshotPtr = std::shared_ptr<const Snapshot>;

SnapshotPtr g_done; // what is saved: made once, before the children

/// What a child found. A signal instead of these is a crash.
enum Verdict : int {
    kFine = 0,
    kWrongError,
    kException,
    kOtherResult,
    kHalfWritten,
    kLitter,
    kUnanswered,
    kSetUp
};

const char* verdictText(int verdict) {
    switch (verdict) {
    case kWrongError:
        return "an error that does not say that memory was short";
    case kException:
        return "an exception instead of an error";
    case kOtherResult:
        return "a result that is not the undisturbed one";
    case kUnanswered:
        return "a question or request without an answer, or with two";
    case kHalfWritten:
        return "a file that is neither the old one nor the new one";
    case kLitter:
        return "a file that was left behind";
    case kSetUp:
        return "the test could not be set up";
    default:
        return "?";
    }
}

void arm(long failing) {
    g_count = 0;
    g_failing = failing;
    g_armed = true;
}

std::uint64_t digestOf(const Snapshot& s) {
    const ConstMatrixView hidden = s.propagated->hidden->view();
    std::uint64_t digest = 1;
    for (std::size_t r = 0; r < hidden.rows; ++r)
        for (std::size_t c = 0; c < hidden.cols; ++c)
            digest = splitMix64(digest, std::bit_cast<std::uint32_t>(hidden(r, c)));
    return digest;
}

Request requestFor(const test::TinyModelFile& model) {
    Request request = test::tinyRequest(model, 40);
    request.policy.far.far = Far::Summaries;
    request.policy.far.m = 4;
    return request;
}

WorkContext oneThread() {
    WorkContext work;
    work.threads = 1;
    return work;
}

/// Loads and analyses. The engine that failed then does it again and must come to the same numbers.
Verdict loadAndAnalyse(const test::TinyModelFile& model, const std::string&, std::uint64_t& digest) {
    const Request request = requestFor(model);
    const WorkContext work = oneThread();
    std::size_t delivered = 0;
    const Engine::Deliver deliver = [&](const SnapshotPtr& s) { delivered += s->tokens ? 1 : 0; };
    Engine engine;
    const long failing = g_failing;
    arm(failing);
    const Result<SnapshotPtr> first = engine.run(request, deliver, work);
    g_armed = false;
    if (!first && (first.error().code != ErrorCode::OutOfMemory || first.error().message.empty()))
        return kWrongError;
    const Result<SnapshotPtr> again = engine.run(request, deliver, work);
    if (!again)
        return kOtherResult;
    if (digest == 0)
        digest = digestOf(**again);
    return digestOf(**again) == digest && (!first || digestOf(**first) == digest) ? kFine : kOtherResult;
}

std::string contentOf(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Writes `made()` over an old file: afterwards it is the old one or the new one, and alone in its folder.
Verdict saveOver(const std::string& folder, const std::function<std::string()>& made) {
    const std::string old = "the old content";
    const std::string path = folder + "/saved";
    std::ofstream(path, std::ios::binary) << old;
    const std::string expected = made();
    const long failing = g_failing;
    bool saved = false;
    Verdict verdict = kFine;
    arm(failing);
    try {
        const Result<> done = writeFileAtomically(path, made);
        g_armed = false;
        saved = done.has_value();
        if (!done && (done.error().code != ErrorCode::OutOfMemory || done.error().message.empty()))
            verdict = kWrongError;
    } catch (...) {
        verdict = kException;
    }
    g_armed = false;
    const std::string now = contentOf(path);
    if (now != expected && (saved || now != old))
        verdict = kHalfWritten;
    int files = 0;
    DIR* directory = opendir(folder.c_str());
    while (directory != nullptr && readdir(directory) != nullptr)
        ++files;
    closedir(directory);
    return verdict == kFine && files != 3 ? kLitter : verdict; // with . and ..
}

Verdict saveReport(const test::TinyModelFile&, const std::string& folder, std::uint64_t&) {
    const std::vector<GateResult> gates{{1, "a gate", true, 0.0, 0.0, "a detail"}};
    return saveOver(folder, [&] { return reportJson(*g_done, gates, 1, nullptr, nullptr, {true, ""}); });
}

Verdict saveTables(const test::TinyModelFile&, const std::string& folder, std::uint64_t&) {
    const Snapshot& s = *g_done;
    return saveOver(folder, [&] {
        const auto rows = attentionCsv(s, 0, 0, {0, 12}, {0, 12}, 1000);
        return rows.value_or("no rows") + routingCsv(*s.propagated->routing, s.model->shape);
    });
}

Session sessionFor(const test::TinyModelFile& model) {
    return {requestFor(model), std::string(64, '0'), {{"docks", "left"}}};
}

Verdict saveSession(const test::TinyModelFile& model, const std::string& folder, std::uint64_t&) {
    const Session session = sessionFor(model);
    return saveOver(folder, [&] { return sessionToJson(session); });
}

/// Reads a session, and its policy once more alone, from files.
Verdict readBack(const test::TinyModelFile& model, const std::string& folder, std::uint64_t&) {
    const std::string expected = sessionToJson(sessionFor(model));
    const std::string policy = policyToJson(requestFor(model).policy);
    const std::string path = folder + "/session.json";
    std::ofstream(path, std::ios::binary) << expected;
    Verdict verdict = kFine;
    const auto outOfMemory = [](const auto& answer) {
        return !answer && answer.error().code == ErrorCode::OutOfMemory && !answer.error().message.empty();
    };
    arm(g_failing);
    try {
        const Result<std::string> bytes = readWholeFile(path, 1U << 20U);
        const Result<Session> session = sessionFromJson(bytes ? *bytes : expected);
        const Result<AttentionPolicy> alone = policyFromJson(policy);
        g_armed = false;
        if ((!bytes && !outOfMemory(bytes)) || (!session && !outOfMemory(session)) ||
            (!alone && !outOfMemory(alone)))
            verdict = kWrongError;
        else if ((bytes && *bytes != expected) || (session && sessionToJson(*session) != expected) ||
                 (alone && policyToJson(*alone) != policy))
            verdict = kOtherResult;
    } catch (...) {
        verdict = kException;
    }
    g_armed = false;
    return verdict;
}

/// A question and a request of the engine's thread. What it has taken, it answers, once.
Verdict askWorker(const test::TinyModelFile& model, const std::string&, std::uint64_t&) {
    std::mutex mutex;
    std::condition_variable changed;
    int answers = 0, questions = 0, wrong = 0;
    const auto note = [&](int& count, bool fits) {
        const std::lock_guard lock(mutex);
        ++count;
        wrong += fits ? 0 : 1;
        changed.notify_all();
    };
    const auto snapshot = std::make_shared<const Snapshot>();
    const LatestWorker::Runner runner{
        [&](const Request&, const Engine::Deliver& deliver, const WorkContext& work) {
            work.report("working", 0, 1);
            deliver(snapshot);
            return Result<SnapshotPtr>(snapshot);
        },
        {}};
    LatestWorker::Callbacks callbacks;
    callbacks.snapshot = [&](const SnapshotPtr&) { note(answers, true); };
    callbacks.failed = [&](std::uint64_t, const Error& e) {
        note(answers, e.code == ErrorCode::OutOfMemory);
    };
    callbacks.progress = [&](std::uint64_t, const Progress&) {};
    Request request = requestFor(model);
    Question question;
    question.work = [](const WorkContext& work) -> Result<> { return work.checkpoint(); };
    question.answered = [&](Result<> done) {
        note(questions, done || done.error().code == ErrorCode::OutOfMemory);
    };
    int wanted = 0, asked = 0;
    arm(g_failing);
    try {
        LatestWorker worker(std::move(callbacks), std::chrono::milliseconds(0), runner);
        try {
            worker.submit(std::move(request));
            ++wanted;
            worker.ask(std::move(question));
            ++asked;
        } catch (const std::bad_alloc&) {
        }
        std::unique_lock lock(mutex); // without an answer, the alarm ends this process
        changed.wait(lock, [&] { return answers == wanted && questions == asked; });
    } catch (const std::bad_alloc&) { // no worker
    } catch (...) {
        g_armed = false;
        return kException;
    }
    g_armed = false;
    return answers == wanted && questions == asked && wrong == 0 ? kFine : kUnanswered;
}

struct Attempt {
    const char* name;
    Verdict (*run)(const test::TinyModelFile&, const std::string& folder, std::uint64_t& digest);
};
constexpr std::array kPhases{
    Attempt{"load and analyse", loadAndAnalyse}, Attempt{"save a report", saveReport},
    Attempt{"save tables", saveTables},          Attempt{"save a session", saveSession},
    Attempt{"read a session", readBack},         Attempt{"ask the engine's thread", askWorker}};

/// What the reference run says: how many allocations there are, and the result.
struct Reference {
    long count = 0;
    std::uint64_t digest = 0;
};

/// Runs a phase in a child whose `failing`-th allocation fails. Returns the wait status.
int inChild(const Attempt& phase, const test::TinyModelFile& model, long failing, Reference& reference) {
    QTemporaryDir folder;
    const std::string path = folder.path().toStdString();
    int ends[2];
    if (pipe(ends) != 0)
        return -1;
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        g_showStack = failing > 0 && qgetenv("FOVEA_ALLOCATIONS").toLong() == failing;
        if (!g_showStack) // Qt Test would call a debugger for each crash
            for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL})
                std::signal(signal, SIG_DFL);
        g_failing = failing;
        Reference found = reference;
        const Verdict verdict = phase.run(model, path, found.digest);
        found.count = g_count;
        const bool told = write(ends[1], &found, sizeof found) == sizeof found;
        _exit(told ? verdict : kSetUp);
    }
    close(ends[1]);
    Reference found;
    if (read(ends[0], &found, sizeof found) == sizeof found && failing == 0)
        reference = found;
    close(ends[0]);
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

} // namespace

class tst_Allocation : public QObject {
    Q_OBJECT
private slots:
    void eachFailsOnce_data();
    void eachFailsOnce();
};

void tst_Allocation::eachFailsOnce_data() {
    QTest::addColumn<int>("phase");
    for (std::size_t n = 0; n < kPhases.size(); ++n)
        QTest::newRow(kPhases[n].name) << static_cast<int>(n);
}

void tst_Allocation::eachFailsOnce() {
#ifdef FOVEA_OWN_ALLOCATOR
    QSKIP("a sanitizer brings an allocator of its own");
#else
    QFETCH(int, phase);
    std::size_t callers = 0;
    dl_iterate_phdr(noteCaller, &callers);
    const Attempt& tried = kPhases[static_cast<std::size_t>(phase)];
    const test::TinyModelFile model;
    if (tried.run != loadAndAnalyse && !g_done) {
        const Result<SnapshotPtr> done = Engine().run(requestFor(model), {}, oneThread());
        QVERIFY(done);
        g_done = *done;
    }
    Reference reference;
    const int undisturbed = inChild(tried, model, 0, reference);
    QVERIFY2(WIFEXITED(undisturbed) && WEXITSTATUS(undisturbed) == kFine,
             verdictText(WEXITSTATUS(undisturbed)));
    QVERIFY(reference.count > 5);

    const QByteArray asked = qgetenv("FOVEA_ALLOCATIONS");
    const long only = asked.toLong();
    const long step = asked == "all" ? 1 : std::max(1L, reference.count / 120);
    long tries = 0;
    std::map<std::string, std::vector<long>> found;
    for (long n = only > 0 ? only : 1; n <= reference.count; n += only > 0 ? reference.count : step) {
        ++tries;
        const int status = inChild(tried, model, n, reference);
        if (WIFSIGNALED(status))
            found["a crash (signal " + std::to_string(WTERMSIG(status)) + ")"].push_back(n);
        else if (WEXITSTATUS(status) != kFine)
            found[verdictText(WEXITSTATUS(status))].push_back(n);
    }
    std::string text;
    for (const auto& [what, at] : found)
        text += what + ": " + std::to_string(at.size()) + " times, at allocation";
    for (const auto& [what, at] : found)
        for (const long n : at)
            text += " " + std::to_string(n);
    qInfo("%s: %ld allocations, %ld of them failed, each once", tried.name, reference.count, tries);
    QVERIFY2(text.empty(), text.c_str());
#endif
}

QTEST_APPLESS_MAIN(tst_Allocation)
#include "tst_Allocation.moc"
