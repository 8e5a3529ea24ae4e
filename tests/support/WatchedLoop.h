#pragma once
#include <QByteArray>
#include <QCoreApplication>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QString>
#include <QStringList>
#include <QTimer>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <mutex>
#include <pthread.h>
#include <thread>
#include <unistd.h>

// What a long test needs to be believed: its last actions in the output when it dies, every warning of Qt,
// and how long the GUI thread was busy at a stretch.
namespace fovea::test {

/// The last actions of a run. One per process: signal handlers reach it.
class ActionLog {
public:
    static constexpr std::size_t kKept = 50, kLength = 200;
    static ActionLog& instance() {
        static ActionLog log;
        return log;
    }
    void begin(const QByteArray& heading) {
        std::strncpy(m_heading.data(), heading.constData(), kLength - 1);
        m_count = 0;
    }
    void add(const QByteArray& action) {
        auto& line = m_lines[m_count % kKept];
        line.fill('\0');
        std::strncpy(line.data(), action.constData(), kLength - 1);
        ++m_count;
    }
    [[nodiscard]] std::size_t count() const { return m_count; }
    [[nodiscard]] QByteArray newest() const {
        return m_count == 0 ? QByteArray() : QByteArray(m_lines[(m_count - 1) % kKept].data());
    }
    /// Writes heading and actions, oldest first. Safe in a signal handler.
    void dump() const {
        write("\n");
        write(m_heading.data());
        write("\nlast actions:\n");
        const std::size_t first = m_count > kKept ? m_count - kKept : 0;
        for (std::size_t i = first; i < m_count; ++i) {
            write("  ");
            write(m_lines[i % kKept].data());
            write("\n");
        }
    }

private:
    static void write(const char* text) {
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
    }
    std::array<char, kLength> m_heading{};
    std::array<std::array<char, kLength>, kKept> m_lines{};
    std::size_t m_count = 0;
};

/// Prints the log when the process dies of a signal, then lets the former handler have it.
class CrashNote {
public:
    CrashNote() {
        for (std::size_t i = 0; i < kSignals.size(); ++i) {
            struct sigaction action {};
            action.sa_handler = &CrashNote::handle;
            sigaction(kSignals[i], &action, &former()[i]);
        }
    }
    ~CrashNote() { restore(); }
    CrashNote(const CrashNote&) = delete;
    CrashNote& operator=(const CrashNote&) = delete;

private:
    static constexpr std::array kSignals{SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
    static std::array<struct sigaction, 5>& former() {
        static std::array<struct sigaction, 5> held{};
        return held;
    }
    static void restore() {
        for (std::size_t i = 0; i < kSignals.size(); ++i)
            sigaction(kSignals[i], &former()[i], nullptr);
    }
    static void handle(int signal) {
        restore();
        ActionLog::instance().dump();
        if (signal == SIGABRT)
            ::raise(signal);
        // A fault happens again where it happened, so the former handler sees the place.
    }
};

/// Collects every message of Qt at or above a warning while it lives.
class WarningTrap {
public:
    WarningTrap() {
        held() = this;
        m_former = qInstallMessageHandler(&WarningTrap::take);
    }
    ~WarningTrap() {
        qInstallMessageHandler(m_former);
        held() = nullptr;
    }
    WarningTrap(const WarningTrap&) = delete;
    WarningTrap& operator=(const WarningTrap&) = delete;
    [[nodiscard]] QStringList found() const {
        const std::lock_guard lock(m_mutex);
        return m_found;
    }

private:
    static WarningTrap*& held() {
        static WarningTrap* trap = nullptr;
        return trap;
    }
    static void take(QtMsgType type, const QMessageLogContext& context, const QString& message) {
        WarningTrap* const trap = held();
        // The offscreen platform says so of things that only a desktop has.
        const bool platform = message.startsWith(QLatin1String("This plugin does not support"));
        if ((type == QtWarningMsg || type == QtCriticalMsg || type == QtFatalMsg) && !platform) {
            const std::lock_guard lock(trap->m_mutex);
            if (trap->m_found.size() < 20)
                trap->m_found << message + QStringLiteral(" [after: %1]")
                                               .arg(QString::fromUtf8(ActionLog::instance().newest()));
        }
        if (platform)
            return;
        if (trap->m_former != nullptr)
            trap->m_former(type, context, message);
    }
    QtMessageHandler m_former = nullptr;
    mutable std::mutex m_mutex;
    QStringList m_found;
};

/// Calls `act` again and again from the event loop, also from loops inside of it (menus, drags), and measures
/// how late each call comes: for that long the GUI thread served nobody. Ends the process when it serves
/// nobody for `hangSeconds` and was computing for half of them; a thread that waits for a processor of a busy
/// machine, or for nothing, has six times as long.
class WatchedLoop : public QObject {
public:
    /// `act` gets the number of the call and returns the pause in ms before the next, below 0 to end.
    WatchedLoop(std::function<int()> act, int hangSeconds) : m_act(std::move(act)) {
        m_clock.start();
        pthread_getcpuclockid(pthread_self(), &m_computing);
        m_watcher = std::thread([this, hangSeconds] {
            while (!m_ended) {
                std::this_thread::sleep_for(std::chrono::milliseconds(200));
                const qint64 silent = m_clock.elapsed() - m_beat;
                if (silent < hangSeconds * 1000 ||
                    (silent < hangSeconds * 6000 && computedMs() - m_computedAtBeat < hangSeconds * 500))
                    continue;
                ActionLog::instance().dump();
                std::fprintf(stderr, "the window has not answered for %d s\n", hangSeconds);
                std::abort();
            }
        });
    }
    ~WatchedLoop() override {
        m_ended = true;
        m_watcher.join();
    }
    void run() {
        m_due = m_clock.elapsed();
        step();
        while (!m_done)
            QCoreApplication::processEvents(QEventLoop::WaitForMoreEvents, 100);
    }
    [[nodiscard]] qint64 longestMs() const { return m_longest; }
    [[nodiscard]] QByteArray longestAfter() const { return m_longestAfter; }

private:
    /// Processor time of the thread that made this.
    [[nodiscard]] qint64 computedMs() const {
        timespec used{};
        clock_gettime(m_computing, &used);
        return static_cast<qint64>(used.tv_sec) * 1000 + used.tv_nsec / 1'000'000;
    }
    void step() {
        if (m_done)
            return;
        const qint64 now = m_clock.elapsed();
        m_beat = now;
        m_computedAtBeat = computedMs();
        if (now - m_due > m_longest) {
            m_longest = now - m_due;
            m_longestAfter = ActionLog::instance().newest();
        }
        // The next call is arranged first: `act` may open a menu whose loop it has to end itself.
        const int pause = m_pause;
        m_due = m_clock.elapsed() + pause;
        QTimer::singleShot(pause, Qt::PreciseTimer, this, [this] { step(); });
        m_pause = m_act();
        if (m_pause < 0)
            m_done = true;
    }
    std::function<int()> m_act;
    QElapsedTimer m_clock;
    clockid_t m_computing{};
    std::atomic<qint64> m_beat{0}, m_computedAtBeat{0};
    std::atomic<bool> m_ended{false};
    std::thread m_watcher;
    qint64 m_due = 0, m_longest = 0;
    int m_pause = 0;
    bool m_done = false;
    QByteArray m_longestAfter;
};

} // namespace fovea::test
