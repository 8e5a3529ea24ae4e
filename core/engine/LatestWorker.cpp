#include "core/engine/LatestWorker.h"
#include "core/base/OutOfMemory.h"
#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace fovea {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kTimeToAsk(50); ///< from a picture's parts to the next question about it

LatestWorker::Runner engineRunner() {
    auto engine = std::make_shared<Engine>();
    return {[engine](const Request& request, const Engine::Deliver& deliver, const WorkContext& work) {
                return engine->run(request, deliver, work);
            },
            [engine](const Request& newer) { return engine->worthFinishing(newer); }};
}

/// What `work` returns, or an error for what it throws.
template <class Work>
auto answerOf(const Work& work) -> decltype(work()) {
    return orOutOfMemory("there is not enough memory for this.", [&]() -> decltype(work()) {
        try {
            return work();
        } catch (const std::bad_alloc&) {
            throw;
        } catch (const std::exception& e) {
            return fail(ErrorCode::Unsupported, std::string("a library failed: ") + e.what());
        }
    });
}

/// Tells somebody something. A callback that runs out of memory is called once more: what the work held is
/// free by then.
template <class Callback>
void tell(const Callback& callback) {
    for (int again = 0; again < 2; ++again)
        try {
            return callback();
        } catch (const std::bad_alloc&) {
        }
}

void answer(const Question& question, const Result<>& result) {
    if (question.answered)
        tell([&] { question.answered(result); });
}

void answerCancelled(const Question& question) {
    answer(question, fail(ErrorCode::Cancelled, "cancelled"));
}

} // namespace

struct LatestWorker::State {
    struct Waiting {
        Request request;
        std::uint64_t generation = 0;
    };
    /// A question under way. Several at once when one is served at a checkpoint of another.
    struct Running {
        const Question* question = nullptr;
        CancelToken token;
        Clock::time_point started;
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
    std::deque<Question> questions; ///< waiting, oldest first
    std::vector<Running> running;   ///< the innermost last
    bool requestRuns = false;
    CancelToken requestToken;
    Clock::time_point requestStarted;
    bool requestShown = false; ///< it asks for what is visible alone, and has delivered that
    std::thread thread;        ///< started last

    /// Cancels the running request when a newer one has waited long enough, or has nothing to wait for. With
    /// the mutex held.
    void yieldToNewer() {
        if (requestRuns && waiting && (requestShown || Clock::now() - requestStarted >= patience) &&
            !(runner.worthFinishing && runner.worthFinishing(waiting->request)))
            requestToken.cancel();
    }

    /// The same for questions of one key. With the mutex held.
    void yieldQuestions() {
        for (const Running& r : running)
            if (!r.question->key.empty() && Clock::now() - r.started >= patience &&
                waitingOf(r.question->key) != questions.end())
                r.token.cancel();
    }

    [[nodiscard]] std::deque<Question>::iterator waitingOf(const std::string& key) {
        return std::find_if(questions.begin(), questions.end(),
                            [&](const Question& q) { return q.key == key; });
    }

    /// The oldest of the most urgent questions, none less urgent than `least` and none whose key is under
    /// way, since answers of a key keep their order.
    [[nodiscard]] std::deque<Question>::iterator nextQuestion(Urgency least) {
        auto best = questions.end();
        for (auto it = questions.begin(); it != questions.end(); ++it)
            if (it->urgency <= least && (best == questions.end() || it->urgency < best->urgency) &&
                (it->key.empty() || std::none_of(running.begin(), running.end(), [&](const Running& r) {
                     return r.question->key == it->key;
                 })))
                best = it;
        return best;
    }

    /// Serves one question; returns whether there was one.
    bool serveQuestion(Urgency least) {
        std::unique_lock lock(mutex);
        const auto next = nextQuestion(least);
        if (stopping || next == questions.end())
            return false;
        const Question question = std::move(*next);
        questions.erase(next);
        bool noted = false; // in `running`
        const Result<> result = answerOf([&]() -> Result<> {
            WorkContext work;
            work.progress = question.progress;
            work.between = [this, urgency = question.urgency] { return passAt(urgency); };
            running.push_back({&question, work.cancel, Clock::now()});
            noted = true;
            lock.unlock();
            return question.work(work);
        });
        if (lock.owns_lock())
            lock.unlock();
        answer(question, result);
        lock.lock();
        if (noted)
            running.pop_back();
        return true;
    }

    bool serveQuestions(Urgency least) {
        bool any = false;
        while (serveQuestion(least))
            any = true;
        return any;
    }

    /// A checkpoint of a question of that urgency. Returns whether anything was served.
    bool passAt(Urgency urgency) {
        bool served = false;
        if (urgency == Urgency::Long)
            served = serveQuestions(Urgency::Visible);
        if (urgency == Urgency::Background) {
            served = serveQuestions(Urgency::Long);
            served = runRequest() || served;
        }
        const std::lock_guard lock(mutex);
        yieldQuestions();
        return served;
    }

    /// A request for what is visible has delivered it: what the screen asks for now comes before the rest.
    void letItBeShown() {
        std::unique_lock lock(mutex);
        if (std::exchange(requestShown, true))
            return;
        while (
            wake.wait_for(lock, kTimeToAsk, [this] { return stopping || waiting || !questions.empty(); }) &&
            !stopping && !waiting) {
            lock.unlock();
            const bool served = serveQuestion(Urgency::Visible);
            lock.lock();
            if (!served)
                break;
        }
        yieldToNewer();
    }

    /// Runs the waiting request; returns whether there was one.
    bool runRequest() {
        std::unique_lock lock(mutex);
        if (!waiting || stopping)
            return false;
        const Waiting mine = std::move(*waiting);
        waiting.reset();
        const Result<std::shared_ptr<const Snapshot>> result = answerOf([&] {
            WorkContext work;
            requestToken = work.cancel;
            requestRuns = true;
            requestStarted = Clock::now();
            requestShown = false;
            lock.unlock();

            work.progress = [this, &mine](const Progress& p) {
                if (callbacks.progress)
                    callbacks.progress(mine.generation, p);
            };
            work.between = [this] {
                const bool served = serveQuestions(Urgency::Long);
                const std::lock_guard guard(mutex);
                yieldToNewer();
                return served;
            };
            const auto deliver = [this, &mine](const std::shared_ptr<const Snapshot>& snapshot) {
                if (!callbacks.snapshot)
                    return;
                auto named = std::make_shared<Snapshot>(*snapshot);
                named->generation = mine.generation;
                const bool shown = named->visible != nullptr && mine.request.depth == Depth::Visible;
                callbacks.snapshot(std::move(named));
                if (shown)
                    letItBeShown();
            };
            return runner.run(mine.request, deliver, work);
        });

        if (!lock.owns_lock())
            lock.lock();
        requestRuns = false;
        const bool outdated = waiting.has_value() || stopping;
        lock.unlock();
        if (!result && result.error().code != ErrorCode::Cancelled && !outdated && callbacks.failed)
            tell([&] { callbacks.failed(mine.generation, result.error()); });
        return true;
    }

    void loop() {
        while (true) {
            {
                std::unique_lock lock(mutex);
                wake.wait(lock, [this] { return stopping || waiting || !questions.empty(); });
                if (stopping)
                    return;
            }
            if (!serveQuestion(Urgency::Long) && !runRequest())
                serveQuestion(Urgency::Background);
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
        m_state->requestToken.cancel();
        for (const State::Running& r : m_state->running)
            r.token.cancel();
    }
    m_state->wake.notify_all();
    m_state->thread.join();
    for (const Question& question : m_state->questions)
        answerCancelled(question);
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

void LatestWorker::cancel() {
    const std::lock_guard lock(m_state->mutex);
    m_state->waiting.reset();
    m_state->requestToken.cancel();
}

void LatestWorker::ask(Question question) {
    std::optional<Question> replaced;
    {
        const std::lock_guard lock(m_state->mutex);
        const auto older = question.key.empty() ? m_state->questions.end() : m_state->waitingOf(question.key);
        if (older != m_state->questions.end())
            replaced = std::exchange(*older, std::move(question));
        else
            m_state->questions.push_back(std::move(question));
        m_state->yieldQuestions();
    }
    m_state->wake.notify_all();
    if (replaced)
        answerCancelled(*replaced);
}

void LatestWorker::drop(const std::string& key) {
    std::optional<Question> dropped;
    {
        const std::lock_guard lock(m_state->mutex);
        if (const auto found = m_state->waitingOf(key); found != m_state->questions.end()) {
            dropped = std::move(*found);
            m_state->questions.erase(found);
        }
        for (const State::Running& r : m_state->running)
            if (r.question->key == key)
                r.token.cancel();
    }
    if (dropped)
        answerCancelled(*dropped);
}

bool LatestWorker::idle() const {
    const std::lock_guard lock(m_state->mutex);
    return !m_state->waiting && m_state->questions.empty() && m_state->running.empty() &&
           !m_state->requestRuns;
}

} // namespace fovea
