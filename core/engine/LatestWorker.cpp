#include "core/engine/LatestWorker.h"
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

namespace fovea {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kTilesWaiting = 256;

LatestWorker::Runner engineRunner() {
    auto engine = std::make_shared<Engine>();
    return {[engine](const Request& request, const Engine::Deliver& deliver, const WorkContext& work) {
                return engine->run(request, deliver, work);
            },
            [engine](const Request& newer) { return engine->worthFinishing(newer); }};
}

} // namespace

struct LatestWorker::State {
    struct Waiting {
        Request request;
        std::uint64_t generation = 0;
    };

    State(Callbacks c, Milliseconds p, Runner r)
        : callbacks(std::move(c)), patience(p), runner(std::move(r)) {}

    const Callbacks callbacks;
    const Milliseconds patience;
    const Runner runner;

    mutable std::mutex mutex; ///< guards everything below
    std::condition_variable wake;
    bool stopping = false;
    std::uint64_t generation = 0;
    std::optional<Waiting> waiting;
    std::deque<std::function<void()>> tiles;
    std::deque<std::function<void(const WorkContext&)>> jobs;
    bool requestRuns = false;
    bool jobRuns = false;
    bool tileRuns = false;
    CancelToken requestToken;
    CancelToken jobToken;
    Clock::time_point requestStarted;
    std::thread thread; ///< started last

    /// Cancels the running request when a newer one has waited long enough. With the mutex held.
    void yieldToNewer() {
        if (requestRuns && waiting && Clock::now() - requestStarted >= patience &&
            !(runner.worthFinishing && runner.worthFinishing(waiting->request)))
            requestToken.cancel();
    }

    void serveTiles() {
        std::unique_lock lock(mutex);
        if (tileRuns) // a tile's own work passed a checkpoint
            return;
        while (!tiles.empty() && !stopping) {
            const std::function<void()> task = std::move(tiles.front());
            tiles.pop_front();
            tileRuns = true;
            lock.unlock();
            try {
                task();
            } catch (const std::exception&) {
                // A picture that does not fit in memory stays undrawn; the run goes on.
            }
            lock.lock();
            tileRuns = false;
        }
    }

    void runRequest() {
        std::unique_lock lock(mutex);
        if (!waiting || stopping)
            return;
        const Waiting mine = std::move(*waiting);
        waiting.reset();
        requestToken = CancelToken();
        requestRuns = true;
        requestStarted = Clock::now();
        WorkContext work;
        work.cancel = requestToken;
        lock.unlock();

        work.progress = [this, &mine](const Progress& p) {
            if (callbacks.progress)
                callbacks.progress(mine.generation, p);
        };
        work.between = [this] {
            serveTiles();
            const std::lock_guard guard(mutex);
            yieldToNewer();
        };
        const auto deliver = [this, &mine](const std::shared_ptr<const Snapshot>& snapshot) {
            if (!callbacks.snapshot)
                return;
            auto named = std::make_shared<Snapshot>(*snapshot);
            named->generation = mine.generation;
            callbacks.snapshot(std::move(named));
        };
        const Result<std::shared_ptr<const Snapshot>> result = runner.run(mine.request, deliver, work);

        lock.lock();
        requestRuns = false;
        const bool outdated = waiting.has_value() || stopping;
        lock.unlock();
        if (!result && result.error().code != ErrorCode::Cancelled && !outdated && callbacks.failed)
            callbacks.failed(mine.generation, result.error());
    }

    void runJob() {
        std::unique_lock lock(mutex);
        if (jobs.empty() || stopping)
            return;
        const std::function<void(const WorkContext&)> job = std::move(jobs.front());
        jobs.pop_front();
        jobToken = CancelToken();
        jobRuns = true;
        WorkContext work;
        work.cancel = jobToken;
        work.between = [this] {
            serveTiles();
            runRequest();
        };
        lock.unlock();
        try {
            job(work);
        } catch (const std::exception&) {
            // Out of memory: what the job has handed out so far stands.
        }
        lock.lock();
        jobRuns = false;
    }

    void loop() {
        while (true) {
            {
                std::unique_lock lock(mutex);
                wake.wait(lock, [this] { return stopping || waiting || !tiles.empty() || !jobs.empty(); });
                if (stopping)
                    return;
            }
            serveTiles();
            runRequest();
            const bool free = [this] {
                const std::lock_guard lock(mutex);
                return !waiting && tiles.empty();
            }();
            if (free)
                runJob();
        }
    }
};

LatestWorker::LatestWorker(Callbacks callbacks, Milliseconds patience)
    : LatestWorker(std::move(callbacks), patience, engineRunner()) {}

LatestWorker::LatestWorker(Callbacks callbacks, Milliseconds patience, Runner runner)
    : m_state(std::make_unique<State>(std::move(callbacks), patience, std::move(runner))) {
    m_state->thread = std::thread([state = m_state.get()] { state->loop(); });
}

LatestWorker::~LatestWorker() {
    {
        const std::lock_guard lock(m_state->mutex);
        m_state->stopping = true;
        m_state->waiting.reset();
        m_state->tiles.clear();
        m_state->jobs.clear();
        m_state->requestToken.cancel();
        m_state->jobToken.cancel();
    }
    m_state->wake.notify_all();
    m_state->thread.join();
}

std::uint64_t LatestWorker::submit(Request request) {
    std::uint64_t generation = 0;
    {
        const std::lock_guard lock(m_state->mutex);
        generation = ++m_state->generation;
        m_state->waiting = State::Waiting{std::move(request), generation};
        m_state->yieldToNewer();
    }
    m_state->wake.notify_all();
    return generation;
}

void LatestWorker::submitTile(std::function<void()> task) {
    {
        const std::lock_guard lock(m_state->mutex);
        m_state->tiles.push_back(std::move(task));
        if (m_state->tiles.size() > kTilesWaiting)
            m_state->tiles.pop_front();
    }
    m_state->wake.notify_all();
}

void LatestWorker::submitBackground(std::function<void(const WorkContext&)> job) {
    {
        const std::lock_guard lock(m_state->mutex);
        m_state->jobs.push_back(std::move(job));
    }
    m_state->wake.notify_all();
}

void LatestWorker::cancel(bool background) {
    const std::lock_guard lock(m_state->mutex);
    m_state->waiting.reset();
    m_state->requestToken.cancel();
    if (background) {
        m_state->jobs.clear();
        m_state->jobToken.cancel();
    }
}

bool LatestWorker::idle() const {
    const std::lock_guard lock(m_state->mutex);
    return !m_state->waiting && m_state->tiles.empty() && m_state->jobs.empty() && !m_state->requestRuns &&
           !m_state->jobRuns && !m_state->tileRuns;
}

} // namespace fovea
