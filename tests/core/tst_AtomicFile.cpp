// A file is the old one or the new one whatever ends the process. The moments are not left to chance: a child
// that saves is stopped at each of its system calls in turn and killed there.
#include "core/export/Session.h"
#include "core/files/AtomicFile.h"
#include "core/files/Base64.h"
#include "core/files/Sha256.h"
#include <QTemporaryDir>
#include <QTest>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace fovea;
using Scratch = AtomicFile::Scratch;

namespace {

Result<> save(const std::string& path, std::string_view bytes, Scratch scratch) {
    Result<AtomicFile> file = AtomicFile::create(path, scratch);
    FOVEA_TRY(file);
    for (std::size_t at = 0; at < bytes.size(); at += 20000)
        FOVEA_TRY(file->append(bytes.substr(at, 20000)));
    return file->commit();
}

std::string sessionDocument(const std::string& text) {
    Session session;
    session.request.text = std::make_shared<const std::string>(text);
    session.request.modelPath = "model.gguf";
    return sessionToJson(session);
}

enum class End { Finished, Killed, NoTracing };

/// Saves in a child that is killed before its `calls`-th system call, or ends before.
End saveAndKill(const std::string& path, const std::string& bytes, Scratch scratch, int calls) {
    const pid_t child = ::fork();
    if (child == 0) {
        if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0)
            ::_exit(9);
        ::raise(SIGSTOP);
        ::_exit(save(path, bytes, scratch) ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status))
        return End::NoTracing;
    // A system call stops twice, before and after.
    for (int stops = 0; stops < 2 * calls - 1; ++stops) {
        if (::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr) != 0 || ::waitpid(child, &status, 0) != child)
            break;
        if (WIFEXITED(status))
            return WEXITSTATUS(status) == 0 ? End::Finished : End::NoTracing;
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return End::Killed;
}

std::vector<std::string> hiddenFiles(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        if (entry.path().filename().string().starts_with('.'))
            names.push_back(entry.path().filename().string());
    return names;
}

std::string read(const std::string& path) {
    return readWholeFile(path, 1U << 24).value_or("(cannot be read)");
}

} // namespace

class tst_AtomicFile : public QObject {
    Q_OBJECT
private slots:
    void saves_data();
    void saves();
    void killedAtEachSystemCall_data();
    void killedAtEachSystemCall();
    void modesAndLinksAreKept();
    void withoutCommit_nothingIsLeft();
    void abandonedFilesGo_livingOnesStay();
    void whatCannotBeWritten();
    void sha256_isThatOfTheStandard();
    void base64_data();
    void base64();
    void badBase64_data();
    void badBase64();

private:
    QTemporaryDir m_folder;
    std::string path(const char* name) const { return m_folder.filePath(name).toStdString(); }
};

void tst_AtomicFile::saves_data() {
    QTest::addColumn<bool>("named");
    QTest::newRow("without a name") << false;
    QTest::newRow("under a hidden name") << true;
}

void tst_AtomicFile::saves() {
    QFETCH(bool, named);
    const Scratch scratch = named ? Scratch::Named : Scratch::Unnamed;
    const std::string file = path(named ? "named" : "unnamed");
    const std::string longer(100000, 'x');
    for (const std::string& bytes : {std::string("first"), longer, std::string()}) {
        const Result<> done = save(file, bytes, scratch);
        QVERIFY2(done, done ? "" : done.error().message.c_str());
        QCOMPARE(read(file), bytes);
        QVERIFY(hiddenFiles(m_folder.path().toStdString()).empty());
    }
}

void tst_AtomicFile::killedAtEachSystemCall_data() {
    QTest::addColumn<bool>("named");
    QTest::addColumn<bool>("replaced");
    for (const bool named : {false, true})
        for (const bool replaced : {false, true})
            QTest::addRow("%s, %s", named ? "hidden name" : "no name", replaced ? "replaced" : "new")
                << named << replaced;
}

void tst_AtomicFile::killedAtEachSystemCall() {
    QFETCH(bool, named);
    QFETCH(bool, replaced);
    const Scratch scratch = named ? Scratch::Named : Scratch::Unnamed;
    QTemporaryDir place;
    const std::string folder = place.path().toStdString();
    const std::string file = folder + "/text.fovea.json";
    const std::string older = sessionDocument("older");
    const std::string newer = sessionDocument(std::string(50000, 'n'));
    int kills = 0, litter = 0, appeared = 0;
    for (int calls = 1;; ++calls) {
        QVERIFY2(calls < 300, "the child never finishes");
        std::filesystem::remove(file);
        if (replaced)
            QVERIFY(save(file, older, Scratch::Unnamed));
        const End end = saveAndKill(file, newer, scratch, calls);
        if (end == End::NoTracing)
            QSKIP("this machine does not let a process trace its child");
        const bool there = std::filesystem::exists(file);
        QVERIFY2(there || !replaced, qPrintable(QString("call %1: the old file is gone").arg(calls)));
        if (there) {
            const std::string found = read(file);
            QVERIFY2(found == newer || (replaced && found == older),
                     qPrintable(QString("call %1: %2 bytes that are neither").arg(calls).arg(found.size())));
            appeared += found == newer ? 1 : 0;
        }
        if (end == End::Finished) {
            QCOMPARE(read(file), newer);
            break;
        }
        ++kills;
        const std::size_t hidden = hiddenFiles(folder).size();
        QVERIFY(hidden <= 1);
        litter += hidden > 0 ? 1 : 0;
        // The next save anywhere in the folder takes it away.
        QVERIFY(save(folder + "/other", "x", Scratch::Unnamed));
        QVERIFY2(hiddenFiles(folder).empty(),
                 hiddenFiles(folder).empty() ? "" : hiddenFiles(folder)[0].c_str());
    }
    qInfo("%d kills, %d left a hidden file until the next save, %d came after the new file appeared", kills,
          litter, appeared);
    QVERIFY(kills > 8);
    QVERIFY(appeared > 0 && appeared < kills);
    // A file without a name leaves nothing; replacing needs a name from one system call to the next.
    if (!named && std::filesystem::exists("/proc/self/fd") && hiddenFiles(folder).empty()) {
        const int probe = ::open(folder.c_str(), O_TMPFILE | O_WRONLY, 0600);
        if (probe >= 0)
            QVERIFY2(litter <= (replaced ? 1 : 0), "a file without a name left something");
        ::close(probe);
    }
}

void tst_AtomicFile::modesAndLinksAreKept() {
    const std::string file = path("mode"), link = path("link");
    QVERIFY(writeFileAtomically(file, "one"));
    ::chmod(file.c_str(), 0640);
    std::filesystem::create_symlink(file, link);
    QVERIFY(writeFileAtomically(link, "two"));
    QVERIFY(std::filesystem::is_symlink(link));
    QCOMPARE(read(file), std::string("two"));
    struct stat info {};
    QCOMPARE(::stat(file.c_str(), &info), 0);
    QCOMPARE(info.st_mode & 07777, mode_t{0640});
    const std::string dangling = path("dangling");
    std::filesystem::create_symlink(path("far"), dangling);
    QVERIFY(writeFileAtomically(dangling, "three"));
    QCOMPARE(read(path("far")), std::string("three"));
}

void tst_AtomicFile::withoutCommit_nothingIsLeft() {
    for (const Scratch scratch : {Scratch::Unnamed, Scratch::Named}) {
        {
            Result<AtomicFile> file = AtomicFile::create(path("never"), scratch);
            QVERIFY(file && file->append("lost"));
            Result<AtomicFile> moved = std::move(file);
            QVERIFY(moved->append("more"));
        }
        QVERIFY(!std::filesystem::exists(path("never")));
        QVERIFY(hiddenFiles(m_folder.path().toStdString()).empty());
    }
}

void tst_AtomicFile::abandonedFilesGo_livingOnesStay() {
    QTemporaryDir place;
    const std::string folder = place.path().toStdString();
    const auto touch = [&](const std::string& name) {
        ::close(::open((folder + "/" + name).c_str(), O_CREAT | O_WRONLY, 0600));
    };
    touch(".fovea-1-0.part");
    touch(".report.json.Ab12Cd"); // another program's
    touch("fovea-1-0.part");
    Result<AtomicFile> living = AtomicFile::create(folder + "/a", Scratch::Named);
    QVERIFY(living && living->append("kept"));
    QVERIFY(writeFileAtomically(folder + "/b", "x"));
    QVERIFY(!std::filesystem::exists(folder + "/.fovea-1-0.part"));
    QVERIFY(std::filesystem::exists(folder + "/.report.json.Ab12Cd"));
    QVERIFY(std::filesystem::exists(folder + "/fovea-1-0.part"));
    QVERIFY(living->commit());
    QCOMPARE(read(folder + "/a"), std::string("kept"));
}

void tst_AtomicFile::whatCannotBeWritten() {
    for (const Scratch scratch : {Scratch::Unnamed, Scratch::Named})
        for (const std::string& target :
             {m_folder.path().toStdString(), path("no/such"), std::string("/dev/null"),
              std::string("/dev/null/x"), path("") + "/"}) {
            const Result<AtomicFile> file = AtomicFile::create(target, scratch);
            QVERIFY2(!file, target.c_str());
            QCOMPARE(file.error().code, ErrorCode::Io);
            QVERIFY2(file.error().message.find(target) != std::string::npos, file.error().message.c_str());
        }
}

void tst_AtomicFile::sha256_isThatOfTheStandard() {
    // FIPS 180-4's example, and the empty text.
    QCOMPARE(sha256Hex("abc"),
             std::string("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    QCOMPARE(sha256Hex(""), std::string("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    const std::string large(9U << 20, 'a'); // more than two pieces
    const MemoryBytes source(large);
    QCOMPARE(sha256Hex(source, {}).value(), sha256Hex(large));
    WorkContext stopped;
    stopped.cancel.cancel();
    QCOMPARE(sha256Hex(source, stopped).error().code, ErrorCode::Cancelled);
}

void tst_AtomicFile::base64_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QByteArray>("text");
    const char* rfc[][2] = {{"", ""},
                            {"f", "Zg=="},
                            {"fo", "Zm8="},
                            {"foo", "Zm9v"},
                            {"foob", "Zm9vYg=="},
                            {"fooba", "Zm9vYmE="},
                            {"foobar", "Zm9vYmFy"}}; // RFC 4648, section 10
    for (const auto& row : rfc)
        QTest::addRow("\"%s\"", row[0]) << QByteArray(row[0]) << QByteArray(row[1]);
    QByteArray all;
    for (int n = 0; n < 7000000; ++n) // beyond two pieces
        all += static_cast<char>(n * 7 + n / 251);
    QTest::newRow("7 MB") << all << all.toBase64();
}

void tst_AtomicFile::base64() {
    QFETCH(QByteArray, bytes);
    QFETCH(QByteArray, text);
    QVERIFY(toBase64(bytes.toStdString()) == text.toStdString());
    QVERIFY(fromBase64(text.toStdString()).value() == bytes.toStdString());
}

void tst_AtomicFile::badBase64_data() {
    QTest::addColumn<QString>("text");
    for (const char* text :
         {"A", "AAA", "AAA==", "A===", "====", "AA=A", "AA==AAAA", "AAA\n", " AAA", "AA-A", "AA_A", "AAAA\n"})
        QTest::newRow(text) << QString(text);
}

void tst_AtomicFile::badBase64() {
    QFETCH(QString, text);
    const Result<std::string> bytes = fromBase64(text.toStdString());
    QVERIFY(!bytes);
    QCOMPARE(bytes.error().code, ErrorCode::BadValue);
}

QTEST_APPLESS_MAIN(tst_AtomicFile)
#include "tst_AtomicFile.moc"
