#include "app/ProgressLine.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <unistd.h>

namespace fovea::app {

namespace {

constexpr std::chrono::milliseconds kBarPause(100);
constexpr std::chrono::seconds kLinePause(5);
constexpr double kBarCells = 24;

std::string timeLeft(double seconds) {
    const long s = std::lround(std::ceil(seconds));
    if (s < 100)
        return std::to_string(s) + " s left";
    return std::to_string((s + 59) / 60) + " min left";
}

} // namespace

ProgressLine::ProgressLine(bool quiet)
    : m_quiet(quiet), m_terminal(::isatty(STDERR_FILENO) != 0), m_begun(Clock::now()), m_shown(m_begun) {}

void ProgressLine::show(const Progress& progress) {
    if (m_quiet)
        return;
    const Clock::time_point now = Clock::now();
    if (progress.what != m_what) {
        m_what = progress.what;
        m_begun = now;
        m_first = progress.done;
    }
    if (m_terminal ? now - m_shown < kBarPause : now - m_shown < kLinePause)
        return;
    m_shown = now;

    const double share = progress.total > 0 ? std::clamp(progress.done / progress.total, 0.0, 1.0) : 0;
    const double elapsed = std::chrono::duration<double>(now - m_begun).count();
    const double advanced = progress.done - m_first;
    std::string line;
    if (m_terminal) {
        const auto full = static_cast<std::size_t>(std::lround(share * kBarCells));
        line = "\r\x1b[K[" + std::string(full, '#') +
               std::string(static_cast<std::size_t>(kBarCells) - full, '.') + "] ";
    } else {
        line = "fovea: ";
    }
    line += std::to_string(std::lround(share * 100)) + " % " + m_what;
    if (elapsed > 1 && advanced > 0)
        line += ", " + timeLeft(elapsed * (progress.total - progress.done) / advanced);
    if (!m_terminal)
        line += '\n';
    std::fwrite(line.data(), 1, line.size(), stderr);
    std::fflush(stderr);
    m_drawn = m_terminal;
}

void ProgressLine::clear() {
    if (!m_drawn)
        return;
    std::fputs("\r\x1b[K", stderr);
    std::fflush(stderr);
    m_drawn = false;
}

} // namespace fovea::app
