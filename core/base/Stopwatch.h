#pragma once
#include <chrono>

namespace fovea {

/// Adds the seconds of a scope to `into`.
class Stopwatch {
public:
    explicit Stopwatch(double& into) : m_into(into), m_start(std::chrono::steady_clock::now()) {}
    ~Stopwatch() {
        m_into += std::chrono::duration<double>(std::chrono::steady_clock::now() - m_start).count();
    }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;

private:
    double& m_into;
    std::chrono::steady_clock::time_point m_start;
};

} // namespace fovea
