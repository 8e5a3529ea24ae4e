#include "core/engine/LatestWorker.h"
#include <QTest>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

using namespace fovea;
using namespace std::chrono_literals;

namespace {

/// A job of known length in the engine's place: passes `blocks` checkpoints of a millisecond each. The
/// request's maxTokens is its number.
struct Bench {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::uint64_t> snapshots; ///< generations, in order
    std::vector<std::pair<std::uint64_t, Error>> failures;
    std::atomic<int> started = 0, finished = 0, cancelled = 0;
    std::atomic<int> blocks = 5;
    std::atomic<bool> worthFinishing = false;
    std::atomic<bool> failing = false;
    std::atomic<std::size_t> interruptions = 0; ///< of the newest job, while it runs

    LatestWorker::Callbacks callbacks() {
        return {[this](std::shared_ptr<const Snapshot> s) {
                    const std::lock_guard lock(mutex);
                    snapshots.push_back(s->generation);
                    changed.notify_all();
                },
                [this](std::uint64_t generation, Error error) {
                    const std::lock_guard lock(mutex);
                    failures.emplace_back(generation, std::move(error));
                    changed.notify_all();
                },
                {}};
    }
    LatestWorker::Runner runner() {
        return {[this](const Request& request, const Engine::Deliver& deliver,
                       const WorkContext& work) -> Result<std::shared_ptr<const Snapshot>> {
                    ++started;
                    for (int b = 0; b < blocks; ++b) {
                        std::this_thread::sleep_for(1ms);
                        if (const Result<> go = work.checkpoint(); !go) {
                            ++cancelled;
                            return tl::make_unexpected(go.error());
                        }
                        interruptions = work.given->served;
                    }
                    if (failing)
                        return fail(ErrorCode::BadValue, "request " + std::to_string(request.maxTokens));
                    auto snapshot = std::make_shared<Snapshot>();
                    snapshot->request = std::make_shared<const Request>(request);
                    deliver(snapshot);
                    ++finished;
                    return std::shared_ptr<const Snapshot>(snapshot);
                },
                [this](const Request&) { return worthFinishing.load(); }};
    }
    bool waitForSnapshot(std::uint64_t generation) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, 10s,
                                [&] { return !snapshots.empty() && snapshots.back() == generation; });
    }
};

/// What became of a question: nothing yet, its number when it was served, -1 when it was cancelled, -2 when
/// it failed. Answers are noted in the order they come.
struct Answers {
    std::mutex mutex;
    std::vector<int> got;
    Question question(int number, std::string key, std::function<Result<>(const WorkContext&)> work,
                      Urgency urgency = Urgency::Visible) {
        return {std::move(key),
                urgency,
                std::move(work),
                [this, number](const Result<>& end) {
                    const std::lock_guard lock(mutex);
                    got.push_back(end ? number : end.error().code == ErrorCode::Cancelled ? -1 : -2);
                },
                {}};
    }
    std::vector<int> all() {
        const std::lock_guard lock(mutex);
        return got;
    }
};

Result<> atOnce(const WorkContext&) {
    return {};
}

/// Passes checkpoints until it is cancelled.
Result<> forEver(const WorkContext& work) {
    while (true) {
        std::this_thread::sleep_for(1ms);
        FOVEA_TRY(work.checkpoint());
    }
}

Request numbered(std::size_t n) {
    Request request;
    request.maxTokens = n;
    return request;
}

template <class Condition>
bool eventually(const Condition& condition) {
    for (int i = 0; i < 10000 && !condition(); ++i)
        std::this_thread::sleep_for(1ms);
    return condition();
}

} // namespace

class tst_LatestWorker : public QObject {
    Q_OBJECT
private slots:
    void lastValueWins();
    void shortJobsFinishDuringADrag();
    void longJobYieldsAfterPatience();
    void whatIsVisible_yieldsAtOnceWhenShown();
    void sharedWork_isNotThrownAway();
    void cancelStopsWithinABlock();
    void destroyMidRun();
    void tileIsServedDuringALongRun();
    void everyQuestionIsAnswered();
    void waitingQuestion_isReplacedInItsPlace();
    void runningQuestion_yieldsToANewerOne();
    void shortQuestion_isNotCutOff();
    void longQuestion_letsVisibleOnesPass();
    void droppedQuestions_areAnswered();
    void destroyed_answersWhatWaits();
    void backgroundPausesForRequests();
    void cancelledBackground_ends();
    void outdatedErrors_areDropped();
    void newestError_isReported();
    void throwingQuestion_isAnswered();
};

void tst_LatestWorker::lastValueWins() {
    Bench bench;
    bench.blocks = 50;
    LatestWorker worker(bench.callbacks(), 5ms, bench.runner());
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < 200; ++i)
        last = worker.submit(numbered(i));
    QVERIFY(bench.waitForSnapshot(last));
    QVERIFY(eventually([&] { return worker.idle(); }));
    const std::lock_guard lock(bench.mutex);
    QVERIFY(std::is_sorted(bench.snapshots.begin(), bench.snapshots.end()));
    QVERIFY(bench.snapshots.size() < 200); // a mailbox of one: most were never run
}

void tst_LatestWorker::shortJobsFinishDuringADrag() {
    Bench bench;
    bench.blocks = 5;
    LatestWorker worker(bench.callbacks(), 10s, bench.runner());
    for (std::size_t i = 0; i < 100; ++i) {
        worker.submit(numbered(i));
        std::this_thread::sleep_for(1ms);
    }
    QVERIFY(eventually([&] { return worker.idle(); }));
    QCOMPARE(bench.cancelled.load(), 0);
    QVERIFY(bench.finished > 1); // pictures came while the slider moved
}

void tst_LatestWorker::longJobYieldsAfterPatience() {
    Bench bench;
    bench.blocks = 100000;
    LatestWorker worker(bench.callbacks(), 20ms, bench.runner());
    worker.submit(numbered(1));
    QVERIFY(eventually([&] { return bench.started == 1; }));
    bench.blocks = 1;
    const std::uint64_t second = worker.submit(numbered(2));
    QVERIFY(bench.waitForSnapshot(second));
    QVERIFY(bench.failures.empty()); // cancelled is silent
}

/// While a slider moves: what the screen asks for after the delivery comes first, and a newer value does not
/// wait for the rest of the older one.
void tst_LatestWorker::whatIsVisible_yieldsAtOnceWhenShown() {
    for (const Depth depth : {Depth::Visible, Depth::Propagated}) {
        std::atomic<int> served = 0, servedBeforeTheRest = -1, cancelled = 0;
        std::atomic<std::uint64_t> shown = 0;
        LatestWorker* asked = nullptr;
        LatestWorker::Callbacks callbacks;
        callbacks.snapshot = [&](const std::shared_ptr<const Snapshot>& s) {
            asked->ask({"", Urgency::Visible, atOnce, [&](const Result<>&) { ++served; }, {}});
            shown = s->generation;
        };
        LatestWorker::Runner runner;
        runner.run = [&](const Request& request, const Engine::Deliver& deliver,
                         const WorkContext& work) -> Result<std::shared_ptr<const Snapshot>> {
            auto snapshot = std::make_shared<Snapshot>();
            snapshot->visible = std::make_shared<const VisibleLayer>();
            if (request.maxTokens == 1) {
                deliver(snapshot);
                servedBeforeTheRest = served.load();
                const Result<> end = forEver(work);
                ++cancelled;
                return tl::make_unexpected(end.error());
            }
            deliver(snapshot);
            return std::shared_ptr<const Snapshot>(snapshot);
        };
        LatestWorker worker(callbacks, depth == Depth::Visible ? 1h : 5ms, runner);
        asked = &worker;
        Request first = numbered(1), second = numbered(2);
        first.depth = second.depth = depth;
        worker.submit(first);
        QVERIFY(eventually([&] { return servedBeforeTheRest >= 0; }));
        QCOMPARE(servedBeforeTheRest.load(), depth == Depth::Visible ? 1 : 0);
        const std::uint64_t newest = worker.submit(second);
        QVERIFY(eventually([&] { return shown == newest; }));
        QCOMPARE(cancelled.load(), 1);
    }
}

void tst_LatestWorker::sharedWork_isNotThrownAway() {
    Bench bench;
    bench.blocks = 60;
    bench.worthFinishing = true;
    LatestWorker worker(bench.callbacks(), 1ms, bench.runner());
    worker.submit(numbered(1));
    QVERIFY(eventually([&] { return bench.started == 1; }));
    const std::uint64_t second = worker.submit(numbered(2));
    QVERIFY(bench.waitForSnapshot(second)); // handed out a moment before its run counts as finished
    QVERIFY(eventually([&] { return bench.finished == 2; }));
    QCOMPARE(bench.cancelled.load(), 0);
}

void tst_LatestWorker::cancelStopsWithinABlock() {
    Bench bench;
    bench.blocks = 100000;
    LatestWorker worker(bench.callbacks(), 150ms, bench.runner());
    worker.submit(numbered(1));
    QVERIFY(eventually([&] { return bench.started == 1; }));
    worker.submit(numbered(2)); // waits, is cancelled as well
    worker.cancel();
    QVERIFY(eventually([&] { return worker.idle(); }));
    QCOMPARE(bench.cancelled.load(), 1);
    QCOMPARE(bench.started.load(), 1);
    QVERIFY(bench.failures.empty());
}

void tst_LatestWorker::destroyMidRun() {
    Bench bench;
    bench.blocks = 100000;
    {
        LatestWorker worker(bench.callbacks(), 150ms, bench.runner());
        worker.submit(numbered(1));
        worker.ask({"", Urgency::Background, forEver, {}, {}});
        QVERIFY(eventually([&] { return bench.started == 1; }));
    }
    QCOMPARE(bench.cancelled.load(), 1);
    QVERIFY(bench.failures.empty());
}

void tst_LatestWorker::tileIsServedDuringALongRun() {
    Bench bench;
    bench.blocks = 100000;
    LatestWorker worker(bench.callbacks(), 150ms, bench.runner());
    worker.submit(numbered(1));
    QVERIFY(eventually([&] { return bench.started == 1; }));
    std::atomic<int> served = 0;
    std::atomic<bool> sameThread = true;
    std::atomic<std::thread::id> first;
    for (int i = 0; i < 10; ++i)
        worker.ask({"",
                    Urgency::Visible,
                    [&, i](const WorkContext&) -> Result<> {
                        if (i == 0)
                            first = std::this_thread::get_id();
                        sameThread = sameThread && first.load() == std::this_thread::get_id();
                        sameThread = sameThread && served == i; // oldest first
                        ++served;
                        return {};
                    },
                    {},
                    {}});
    QVERIFY(eventually([&] { return served == 10; }));
    QVERIFY(sameThread);
    QCOMPARE(bench.finished.load(), 0); // the run still goes on
    QCOMPARE(bench.cancelled.load(), 0);
    QVERIFY(eventually([&] { return bench.interruptions > 0; })); // and knows that it was interrupted
}

void tst_LatestWorker::everyQuestionIsAnswered() {
    Bench bench;
    Answers answers;
    LatestWorker worker(bench.callbacks(), 150ms, bench.runner());
    for (int i = 0; i < 1000; ++i)
        worker.ask(answers.question(i, "", atOnce));
    QVERIFY(eventually([&] { return worker.idle(); }));
    const std::vector<int> all = answers.all();
    QCOMPARE(all.size(), std::size_t{1000});
    for (int i = 0; i < 1000; ++i)
        QCOMPARE(all[static_cast<std::size_t>(i)], i); // oldest first, none dropped
}

void tst_LatestWorker::waitingQuestion_isReplacedInItsPlace() {
    Bench bench;
    Answers answers;
    LatestWorker worker(bench.callbacks(), 150ms, bench.runner());
    std::mutex gate;
    std::atomic<bool> taken = false;
    gate.lock();
    worker.ask(answers.question(0, "", [&](const WorkContext&) -> Result<> {
        taken = true;
        const std::lock_guard wait(gate);
        return {};
    }));
    QVERIFY(eventually([&] { return taken.load(); }));
    worker.ask(answers.question(1, "a", atOnce));
    worker.ask(answers.question(2, "b", atOnce));
    worker.ask(answers.question(3, "a", atOnce));
    QCOMPARE(answers.all(), std::vector<int>{-1}); // the first of "a", before anything else is served
    gate.unlock();
    QVERIFY(eventually([&] { return worker.idle(); }));
    QCOMPARE(answers.all(), (std::vector<int>{-1, 0, 3, 2}));
}

void tst_LatestWorker::runningQuestion_yieldsToANewerOne() {
    Bench bench;
    Answers answers;
    LatestWorker worker(bench.callbacks(), 5ms, bench.runner());
    std::atomic<bool> begun = false;
    for (const Urgency urgency : {Urgency::Visible, Urgency::Long, Urgency::Background}) {
        begun = false;
        worker.ask(answers.question(
            1, "a",
            [&](const WorkContext& work) {
                begun = true;
                return forEver(work);
            },
            urgency));
        QVERIFY(eventually([&] { return begun.load(); }));
        worker.ask(answers.question(2, "b", atOnce, urgency)); // another key cancels nothing
        worker.ask(answers.question(3, "a", atOnce, urgency));
        QVERIFY(eventually([&] { return worker.idle(); }));
    }
    QCOMPARE(answers.all(), (std::vector<int>{-1, 2, 3, -1, 2, 3, -1, 2, 3}));
}

void tst_LatestWorker::shortQuestion_isNotCutOff() {
    Bench bench;
    Answers answers;
    LatestWorker worker(bench.callbacks(), 10min, bench.runner());
    std::atomic<bool> begun = false, more = true;
    worker.ask(answers.question(1, "a", [&](const WorkContext& work) -> Result<> {
        begun = true;
        while (more)
            FOVEA_TRY(work.checkpoint());
        return work.checkpoint();
    }));
    QVERIFY(eventually([&] { return begun.load(); }));
    worker.ask(answers.question(2, "a", atOnce));
    more = false;
    QVERIFY(eventually([&] { return worker.idle(); }));
    QCOMPARE(answers.all(), (std::vector<int>{1, 2}));
}

void tst_LatestWorker::longQuestion_letsVisibleOnesPass() {
    Bench bench;
    Answers answers;
    LatestWorker worker(bench.callbacks(), 150ms, bench.runner());
    std::atomic<bool> begun = false, enough = false;
    worker.ask(answers.question(
        1, "file",
        [&](const WorkContext& work) -> Result<> {
            begun = true;
            while (!enough)
                FOVEA_TRY(work.checkpoint());
            return {};
        },
        Urgency::Long));
    QVERIFY(eventually([&] { return begun.load(); }));
    worker.ask(answers.question(2, "other", atOnce, Urgency::Long));
    worker.ask(answers.question(3, "tile", atOnce));
    QVERIFY(eventually([&] { return answers.all() == std::vector<int>{3}; }));
    enough = true;
    QVERIFY(eventually([&] { return worker.idle(); }));
    QCOMPARE(answers.all(), (std::vector<int>{3, 1, 2}));
}

void tst_LatestWorker::droppedQuestions_areAnswered() {
    Bench bench;
    Answers answers;
    LatestWorker worker(bench.callbacks(), 10min, bench.runner());
    std::atomic<bool> begun = false;
    worker.ask(answers.question(1, "a", [&](const WorkContext& work) {
        begun = true;
        return forEver(work);
    }));
    QVERIFY(eventually([&] { return begun.load(); }));
    worker.ask(answers.question(2, "a", atOnce));
    worker.ask(answers.question(3, "b", atOnce));
    worker.drop("a");
    QVERIFY(eventually([&] { return worker.idle(); }));
    QCOMPARE(answers.all(), (std::vector<int>{-1, -1, 3}));
}

void tst_LatestWorker::destroyed_answersWhatWaits() {
    Bench bench;
    Answers answers;
    std::atomic<bool> begun = false;
    {
        LatestWorker worker(bench.callbacks(), 150ms, bench.runner());
        worker.ask(answers.question(1, "", [&](const WorkContext& work) {
            begun = true;
            return forEver(work);
        }));
        QVERIFY(eventually([&] { return begun.load(); }));
        worker.ask(answers.question(2, "a", atOnce));
        worker.ask(answers.question(3, "b", atOnce, Urgency::Background));
    }
    QCOMPARE(answers.all(), (std::vector<int>{-1, -1, -1}));
}

void tst_LatestWorker::backgroundPausesForRequests() {
    Bench bench;
    bench.blocks = 3;
    LatestWorker worker(bench.callbacks(), 150ms, bench.runner());
    std::atomic<bool> running = false, stop = false, ended = false;
    std::atomic<std::size_t> interruptions = 0;
    worker.ask({"",
                Urgency::Background,
                [&](const WorkContext& work) -> Result<> {
                    running = true;
                    while (!stop && work.checkpoint()) {
                        interruptions = work.given->served;
                        std::this_thread::sleep_for(1ms);
                    }
                    ended = true;
                    return {};
                },
                {},
                {}});
    QVERIFY(eventually([&] { return running.load(); }));
    QCOMPARE(interruptions.load(), std::size_t{0}); // nobody has asked for anything yet
    const std::uint64_t generation = worker.submit(numbered(1));
    QVERIFY(bench.waitForSnapshot(generation));
    QVERIFY(!ended);
    QVERIFY(eventually([&] { return interruptions == 1; }));
    worker.cancel(); // requests only: the sweep goes on
    std::this_thread::sleep_for(10ms);
    QVERIFY(!ended);
    stop = true;
    QVERIFY(eventually([&] { return worker.idle(); }));
}

void tst_LatestWorker::cancelledBackground_ends() {
    Bench bench;
    LatestWorker worker(bench.callbacks(), 150ms, bench.runner());
    Answers answers;
    std::atomic<int> ran = 0;
    for (int i = 0; i < 2; ++i)
        worker.ask(answers.question(
            i, "sweep",
            [&](const WorkContext& work) {
                ++ran;
                return forEver(work);
            },
            Urgency::Background));
    QVERIFY(eventually([&] { return ran > 0; }));
    worker.cancel(); // requests only
    worker.drop("sweep");
    QVERIFY(eventually([&] { return worker.idle(); }));
    QCOMPARE(answers.all(), (std::vector<int>{-1, -1}));
}

void tst_LatestWorker::outdatedErrors_areDropped() {
    Bench bench;
    bench.failing = true;
    bench.blocks = 30;
    LatestWorker worker(bench.callbacks(), 10s, bench.runner());
    worker.submit(numbered(1));
    QVERIFY(eventually([&] { return bench.started == 1; }));
    const std::uint64_t second = worker.submit(numbered(2));
    QVERIFY(eventually([&] { return worker.idle(); }));
    QCOMPARE(bench.failures.size(), std::size_t{1});
    QCOMPARE(bench.failures[0].first, second);
    QCOMPARE(bench.failures[0].second.message, std::string("request 2"));
}

void tst_LatestWorker::newestError_isReported() {
    std::mutex mutex;
    std::vector<Error> errors;
    LatestWorker worker({{},
                         [&](std::uint64_t, Error e) {
                             const std::lock_guard lock(mutex);
                             errors.push_back(std::move(e));
                         },
                         {}});
    Request request;
    request.text = std::make_shared<const std::string>("hello");
    request.modelPath = "/nonexistent/model.gguf";
    worker.submit(request);
    QVERIFY(eventually([&] { return worker.idle(); }));
    const std::lock_guard lock(mutex);
    QCOMPARE(errors.size(), std::size_t{1});
    QVERIFY(errors[0].message.find("/nonexistent/model.gguf") != std::string::npos);
}

void tst_LatestWorker::throwingQuestion_isAnswered() {
    Bench bench;
    Answers answers;
    LatestWorker worker(bench.callbacks(), 150ms, bench.runner());
    worker.ask(answers.question(1, "", [](const WorkContext&) -> Result<> { throw std::bad_alloc(); }));
    worker.ask(
        answers.question(2, "", [](const WorkContext&) -> Result<> { throw std::runtime_error("no"); }));
    const std::uint64_t generation = worker.submit(numbered(1));
    QVERIFY(bench.waitForSnapshot(generation)); // and the thread goes on
    QCOMPARE(answers.all(), (std::vector<int>{-2, -2}));
}

QTEST_APPLESS_MAIN(tst_LatestWorker)
#include "tst_LatestWorker.moc"
