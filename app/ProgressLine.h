#pragma once
#include "core/base/Cancel.h"
#include <chrono>
#include <string>

namespace fovea::app {

/// Shows progress on stderr: a bar on a terminal, elsewhere a plain line every few seconds; the time left
/// after one second. One thread at a time.
class ProgressLine {
public:
    explicit ProgressLine(bool quiet);
    ~ProgressLine() { clear(); }
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    void show(const Progress& progress);
    /// Removes the bar from the terminal. Call it before anything else is printed.
    void clear();

private:
    using Clock = std::chrono::steady_clock;
    bool m_quiet;
    bool m_terminal;
    bool m_drawn = false;
    std::string m_what;
    Clock::time_point m_begun;
    Clock::time_point m_shown;
    double m_first = 0; ///< value of `done` when this piece of work was first reported
};

} // namespace fovea::app
