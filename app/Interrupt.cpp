#include "app/Interrupt.h"
#include "app/Outcome.h"
#include <atomic>
#include <csignal>
#include <ctime>
#include <pthread.h>
#include <string_view>
#include <thread>
#include <unistd.h>

namespace fovea::app {

namespace {

constexpr long kPatienceMs = 80;

// Global, because a signal is sent to the process.
std::atomic<int> saving{0};
std::atomic<int> status{kInterrupted};

/// What asks the program to end: Ctrl-C, kill, a terminal that closes, processor time that is used up.
sigset_t endSignals() {
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGXCPU})
        ::sigaddset(&signals, signal);
    // nohup starts a program with SIGHUP ignored, and that is meant.
    struct sigaction hangUp {};
    if (::sigaction(SIGHUP, nullptr, &hangUp) == 0 && hangUp.sa_handler != SIG_IGN)
        ::sigaddset(&signals, SIGHUP);
    return signals;
}

/// Waits for one of `signals`; false when `ms` have passed without.
bool signalWithin(const sigset_t& signals, long ms) {
    const timespec wait{ms / 1000, ms % 1000 * 1000000};
    return ::sigtimedwait(&signals, nullptr, &wait) > 0;
}

[[noreturn]] void endNow() {
    constexpr std::string_view kLine = "fovea: interrupted\n";
    // The terminal may show an unfinished progress bar.
    if (::isatty(STDERR_FILENO) != 0)
        (void)!::write(STDERR_FILENO, "\r\x1b[K", 4);
    (void)!::write(STDERR_FILENO, kLine.data(), kLine.size());
    ::_exit(status);
}

void waitForSignals(const CancelToken& cancel, const sigset_t& signals) {
    int signal = 0;
    if (::sigwait(&signals, &signal) != 0)
        return;
    status = 128 + signal; // as a shell says it
    cancel.cancel();
    if (signalWithin(signals, kPatienceMs))
        endNow();
    while (saving > 0 && !signalWithin(signals, 5)) {
    }
    endNow();
}

} // namespace

void holdSignals() {
    // A shell starts background jobs with SIGINT ignored, but a SIGINT sent to this process shall interrupt
    // it.
    std::signal(SIGINT, SIG_DFL);
    // Past `ulimit -f` a write then fails with a reason; the signal would end the program in the middle of
    // it.
    std::signal(SIGXFSZ, SIG_IGN);
    const sigset_t signals = endSignals();
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void releaseSignals() {
    const sigset_t signals = endSignals();
    ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

CancelToken installInterrupt() {
    CancelToken cancel;
    std::signal(SIGPIPE, SIG_IGN);
    holdSignals();
    std::thread(waitForSignals, cancel, endSignals()).detach();
    return cancel;
}

SaveGuard::SaveGuard() {
    ++saving;
}
SaveGuard::~SaveGuard() {
    --saving;
}

int interruptStatus() {
    return status;
}

} // namespace fovea::app
