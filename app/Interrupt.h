#pragma once
#include "core/base/Cancel.h"

namespace fovea::app {

/// Blocks SIGINT, SIGTERM, SIGHUP and SIGXCPU. Called first in main, until installInterrupt handles them or
/// releaseSignals restores their default (for the window, which handles its own closing). SIGXFSZ is ignored,
/// so that a write beyond the file size limit fails instead.
void holdSignals();
void releaseSignals();

/// Turns those signals into a cancel request. Call once, before any other thread exists: the signals are
/// blocked everywhere and one thread waits for them. The work gets 80 ms to stop by itself at its next block;
/// then the process ends with 128 plus the signal's number (SIGINT: 130), only waiting for a file that is
/// being replaced. A second signal ends it at once. SIGPIPE is ignored.
[[nodiscard]] CancelToken installInterrupt();

/// As long as one exists, a file is being replaced and the first signal waits for it.
class SaveGuard {
public:
    SaveGuard();
    ~SaveGuard();
    SaveGuard(const SaveGuard&) = delete;
    SaveGuard& operator=(const SaveGuard&) = delete;
};

/// The exit status after the signal: 128 plus its number; 130 if there was none.
[[nodiscard]] int interruptStatus();

} // namespace fovea::app
