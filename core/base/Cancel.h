#pragma once
#include "core/base/Isa.h"
#include "core/base/Result.h"
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace fovea {

/// A shared stop flag. Copies refer to the same flag. Thread-safe. Long work polls it for every (layer, block
/// of 64 queries), every 4 MiB read and every 64 KiB tokenised, so a request stops within one block.
class CancelToken {
public:
    CancelToken() : m_flag(std::make_shared<std::atomic<bool>>(false)) {}
    void cancel() const { m_flag->store(true, std::memory_order_relaxed); }
    [[nodiscard]] bool cancelled() const { return m_flag->load(std::memory_order_relaxed); }

private:
    std::shared_ptr<std::atomic<bool>> m_flag;
};

/// One line of progress. `what` is a verb with its object ("reading weights"); `done` and `total` may have
/// any unit.
struct Progress {
    std::string what;
    double done = 0;
    double total = 0;
    bool operator==(const Progress&) const = default;
};

/// What a piece of work gave away to others while it ran. Read and written on the thread that runs the work.
struct GivenAway {
    double seconds = 0;     ///< spent in `WorkContext::between` and `WorkContext::progress`
    std::size_t served = 0; ///< calls of `between` that served somebody
};

/// What long work needs from its caller: a stop flag, a place to report progress, and work that may run
/// between two blocks. `progress` and `between` are called on the thread that runs the work, never inside an
/// OpenMP region, and may be empty. Copies share the stop flag and the account of given time.
struct WorkContext {
    CancelToken cancel;
    std::function<void(const Progress&)> progress;
    /// Serves more urgent work (visible map tiles, a newer request) between two blocks of a longer run.
    /// Returns whether anything was served.
    std::function<bool()> between;
    int threads = 0;        ///< OpenMP threads to use; 0: all
    Isa isa = defaultIsa(); ///< of the inner loops of forward pass and router; must be available
    /// Clocks subtract these seconds (Stopwatch.h). Never null.
    std::shared_ptr<GivenAway> given = std::make_shared<GivenAway>();

    void report(std::string what, double done, double total) const {
        if (!progress)
            return;
        const auto start = std::chrono::steady_clock::now();
        progress({std::move(what), done, total});
        give(start);
    }
    /// Call between blocks. Runs urgent work, then returns Cancelled when the work must stop.
    [[nodiscard]] Result<> checkpoint() const {
        if (between) {
            const auto start = std::chrono::steady_clock::now();
            given->served += between() ? 1U : 0U;
            give(start);
        }
        if (cancel.cancelled())
            return fail(ErrorCode::Cancelled, "cancelled");
        return {};
    }

    /// The same work on another instruction set.
    [[nodiscard]] WorkContext on(Isa other) const {
        WorkContext copy = *this;
        copy.isa = other;
        return copy;
    }

private:
    void give(std::chrono::steady_clock::time_point start) const {
        given->seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
};

} // namespace fovea
