#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <omp.h>

namespace fovea {

/// Runs f(n) for n = 0 .. count-1 on `threads` threads. Threads take one index at a time, in ascending order.
/// An exception in `f` can only be a failed allocation: it leaves the region as std::bad_alloc, and indices
/// that had not started are skipped. `f` may call omp_get_thread_num().
template <class F>
void parallelFor(std::size_t count, int threads, const F& f) {
    std::atomic<bool> failed{false};
    const auto last = static_cast<std::int64_t>(count);
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (std::int64_t n = 0; n < last; ++n) {
        try {
            if (!failed.load(std::memory_order_relaxed))
                f(static_cast<std::size_t>(n));
        } catch (...) {
            failed.store(true, std::memory_order_relaxed);
        }
    }
    if (failed.load())
        throw std::bad_alloc();
}

} // namespace fovea
