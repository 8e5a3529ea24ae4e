#pragma once
#include "core/engine/Engine.h"
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace fovea {

/// The one engine thread. Three lanes, asked between blocks of whatever runs: visible tiles before requests
/// before background jobs (sweeps). Requests have a mailbox of one, newest wins; a running request yields to
/// a newer one only after 150 ms, so short jobs finish and a drag never starves; and not at all while it
/// works on something the newer one needs as well (the same full run), which would only have to start again.
/// The last member of its owner; the destructor cancels and joins.
class LatestWorker {
public:
    using Milliseconds = std::chrono::milliseconds;
    struct Callbacks { ///< all on the engine thread
        std::function<void(std::shared_ptr<const Snapshot>)> snapshot;
        std::function<void(std::uint64_t generation, Error)> failed; ///< Cancelled is silent
        std::function<void(std::uint64_t generation, Progress)> progress;
    };
    /// Where requests go. Tests put a job of known length here; everybody else leaves it to an Engine.
    struct Runner {
        std::function<Result<std::shared_ptr<const Snapshot>>(const Request&, const Engine::Deliver&,
                                                              const WorkContext&)>
            run;                                                  ///< engine thread
        std::function<bool(const Request& newer)> worthFinishing; ///< any thread
    };
    explicit LatestWorker(Callbacks callbacks, Milliseconds patience = Milliseconds(150));
    LatestWorker(Callbacks callbacks, Milliseconds patience, Runner runner);
    ~LatestWorker();
    LatestWorker(const LatestWorker&) = delete;
    LatestWorker& operator=(const LatestWorker&) = delete;

    /// Any thread. Returns the request's generation, increasing.
    std::uint64_t submit(Request request);
    /// Any thread. Work on one visible thing (a tile, a row), served first; `task` runs on the engine thread.
    /// Oldest first; more than 256 waiting: the oldest is dropped.
    void submitTile(std::function<void()> task);
    /// Any thread. A long background job (a sweep), run when no request waits; it pauses for requests at its
    /// checkpoints.
    void submitBackground(std::function<void(const WorkContext&)> job);
    /// Cancels the running request and what waits; the background job too when `background`.
    void cancel(bool background);
    [[nodiscard]] bool idle() const;

private:
    struct State;
    std::unique_ptr<State> m_state;
};

} // namespace fovea
