#pragma once
#include "core/base/Cancel.h"
#include <chrono>
#include <memory>

namespace fovea {

/// The clock of a piece of work: seconds since construction without those that the work gave to others
/// (`WorkContext::given`): a map tile or another request that is served at a checkpoint does not make the
/// work look slower. Every measured time in core is taken by one.
class WorkClock {
public:
    explicit WorkClock(const WorkContext& work)
        : m_given(work.given), m_before(*m_given), m_start(std::chrono::steady_clock::now()) {}
    [[nodiscard]] double seconds() const {
        const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - m_start;
        return passed.count() - (m_given->seconds - m_before.seconds);
    }
    /// Was anybody else served since construction? The seconds are then this work's own, but taken with cold
    /// caches.
    [[nodiscard]] bool interrupted() const { return m_given->served != m_before.served; }

private:
    std::shared_ptr<const GivenAway> m_given;
    GivenAway m_before;
    std::chrono::steady_clock::time_point m_start;
};

/// Adds the seconds of a scope to `into`, which must outlive it.
class Stopwatch {
public:
    Stopwatch(double& into, const WorkContext& work) : m_into(into), m_clock(work) {}
    ~Stopwatch() { m_into += m_clock.seconds(); }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;

private:
    double& m_into;
    WorkClock m_clock;
};

} // namespace fovea
