#pragma once
#include "core/engine/Engine.h"
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace fovea {

/// How urgent a question is, and who is served at its checkpoints.
enum class Urgency : std::uint8_t {
    Visible,    ///< short work for the screen (a tile, a row): served between two blocks of whatever runs
    Long,       ///< served likewise, but takes longer (hashing a file): lets Visible ones pass
    Background, ///< a sweep: begins when no request waits, lets requests and all other questions pass
};

/// Something the engine thread is asked for beside requests.
struct Question {
    /// What it is about ("inspector"). A newer question of the same key replaces the waiting one and, after
    /// the worker's patience, cancels the running one. Questions with an empty key are independent.
    std::string key;
    Urgency urgency = Urgency::Visible;
    /// Runs on the engine thread; polls its context's checkpoint() when it takes more than some 10 ms.
    std::function<Result<>(const WorkContext&)> work;
    /// Called exactly once: with what `work` returned; with Cancelled when the question was replaced or
    /// dropped, or the worker was destroyed; with OutOfMemory or Unsupported when `work` threw. Runs without
    /// locks on the engine thread, or on the thread that replaced, dropped or destroyed.
    std::function<void(Result<>)> answered;
    std::function<void(const Progress&)> progress; ///< engine thread; may be empty
};

/// The one engine thread. It serves Visible and Long questions before requests, and requests before
/// Background questions; whatever runs lets more urgent work pass at its checkpoints. Requests have a mailbox
/// of one, newest wins. A running request yields to a newer one only after `patience`, so short jobs finish
/// and a drag never starves; and not at all while it works on something that the newer one needs as well (the
/// same full run). Questions of one key follow the same rule, and are answered in the order they were asked.
/// The worker must be the last member of its owner; the destructor cancels and joins.
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
    /// Cancels the running request and the waiting one. Any thread.
    void cancel();
    /// Any thread. Oldest first within an urgency; a question that replaces another takes its place.
    void ask(Question question);
    /// Answers the waiting question of `key` with Cancelled and cancels the running one. Any thread.
    void drop(const std::string& key);
    [[nodiscard]] bool idle() const;

private:
    struct State;
    std::unique_ptr<State> m_state;
};

} // namespace fovea
