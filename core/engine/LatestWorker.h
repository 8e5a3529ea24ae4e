#pragma once
#include "core/engine/Engine.h"
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace fovea {

/// The priority of a question, and what may run at its checkpoints.
enum class Urgency : std::uint8_t {
    Visible,    ///< short work for the screen (a tile, a row): runs between two blocks of any running work
    Long,       ///< the same for longer work (hashing a file), which lets Visible questions run in between
    Background, ///< a sweep: starts when no request waits, and lets requests and all other questions run in
                ///< between
};

/// Work for the engine thread other than a request.
struct Question {
    /// Identifies the purpose ("inspector"). A newer question of the same key replaces the waiting one and,
    /// after the worker's patience, cancels the running one. Questions with an empty key are independent.
    std::string key;
    Urgency urgency = Urgency::Visible;
    /// Runs on the engine thread; polls its context's checkpoint() when it takes more than some 10 ms.
    std::function<Result<>(const WorkContext&)> work;
    /// Called exactly once: with what `work` returned; with Cancelled when the question was replaced or
    /// dropped, or the worker was destroyed; with OutOfMemory or Unsupported when `work` threw. Runs without
    /// locks on the engine thread, or on the thread that replaced, dropped or destroyed. When it throws
    /// std::bad_alloc it is called a second time.
    std::function<void(Result<>)> answered;
    std::function<void(const Progress&)> progress; ///< engine thread; may be empty
};

/// Owns the only engine thread. Visible and Long questions have priority over requests, and requests over
/// Background questions; running work lets more urgent work run at its checkpoints. At most one request
/// waits; a newer one replaces it. A running request gives way to a newer one only after `patience`, so that
/// short runs finish during a drag, or at once when it asks for Depth::Visible and has delivered what is
/// visible. It does not while it works on something that the newer one also needs (the same full run).
/// Questions of one key follow the same rule, and are answered in the order they were asked. The worker must
/// be the last member of its owner; the destructor cancels and joins.
class LatestWorker {
public:
    using Milliseconds = std::chrono::milliseconds;
    struct Callbacks { ///< all on the engine thread
        std::function<void(std::shared_ptr<const Snapshot>)> snapshot;
        std::function<void(std::uint64_t generation, Error)> failed; ///< Cancelled is silent
        std::function<void(std::uint64_t generation, Progress)> progress;
    };
    /// What runs the requests: an Engine, or in tests a job of known length.
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
    /// Cancels the running request and the waiting one. Any thread.
    void cancel();
    /// Any thread. Questions of equal urgency run oldest first; a question that replaces another takes its
    /// place.
    void ask(Question question);
    /// Answers the waiting question of `key` with Cancelled and cancels the running one. Any thread.
    void drop(const std::string& key);
    [[nodiscard]] bool idle() const;

private:
    struct State;
    std::unique_ptr<State> m_state;
};

} // namespace fovea
