#pragma once
#include "core/base/Cancel.h"

namespace fovea::app {

/// Holds SIGINT, SIGTERM, SIGHUP and SIGXCPU back from the first line of main until installInterrupt takes
/// them, or releaseSignals lets them end the process as usual (the window handles its own closing). SIGXFSZ
/// is ignored: a write past the limit of a file's size fails instead.
void holdSignals();
void releaseSignals();

/// Turns those signals into a cancel request. Call once, before any other thread exists: the signals are
/// blocked everywhere and one thread waits for them. The work gets 80 ms to stop by itself at its next block;
/// then the process ends with 128 plus the signal's number (SIGINT: 130), only waiting for a file that is
/// being replaced. A second signal ends it at once. SIGPIPE is ignored.
[[nodiscard]] CancelToken installInterrupt();

/// While one lives, a file is being replaced, and the first signal waits for it.
class SaveGuard {
public:
    SaveGuard();
    ~SaveGuard();
    SaveGuard(const SaveGuard&) = delete;
    SaveGuard& operator=(const SaveGuard&) = delete;
};

/// The exit status that the signal asks for: 128 plus its number; 130 without one.
[[nodiscard]] int interruptStatus();

} // namespace fovea::app
