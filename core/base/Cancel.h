#pragma once
#include "core/base/Result.h"
#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace fovea {

/// Shared stop flag. Copies refer to the same flag. Thread-safe. Polled per (layer, 64-query block), per 4
/// MiB read and per 64 KiB tokenised, so a request stops within one block.
class CancelToken {
public:
    CancelToken() : m_flag(std::make_shared<std::atomic<bool>>(false)) {}
    void cancel() const { m_flag->store(true, std::memory_order_relaxed); }
    [[nodiscard]] bool cancelled() const { return m_flag->load(std::memory_order_relaxed); }

private:
    std::shared_ptr<std::atomic<bool>> m_flag;
};

/// One line of progress: verb and object ("reading weights"), done of total in any unit.
struct Progress {
    std::string what;
    double done = 0;
    double total = 0;
    bool operator==(const Progress&) const = default;
};

/// What long work carries with it: the stop flag, where to report, and what may be done between two blocks.
/// `progress` and `between` are called on the thread that runs the work, never inside an OpenMP region, and
/// may be empty.
struct WorkContext {
    CancelToken cancel;
    std::function<void(const Progress&)> progress;
    /// Serves more urgent work (visible map tiles) between two blocks of a longer run.
    std::function<void()> between;
    int threads = 0; ///< OpenMP threads of this work; 0: all

    void report(std::string what, double done, double total) const {
        if (progress)
            progress({std::move(what), done, total});
    }
    /// Call between blocks: serves urgent work, then says whether to go on.
    [[nodiscard]] Result<> checkpoint() const {
        if (between)
            between();
        if (cancel.cancelled())
            return fail(ErrorCode::Cancelled, "cancelled");
        return {};
    }
};

} // namespace fovea
