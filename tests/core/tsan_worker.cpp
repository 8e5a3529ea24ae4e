// Under ThreadSanitizer: the engine thread and the real engine on a model of some 13 kB, while four threads
// at once submit and cancel requests, ask for tiles of the newest snapshot, ask and drop long questions and
// start sweeps that replace each other. Every question must be answered exactly once, and the last request
// must give the bits of a run that nobody disturbed. `--race` plants a race between the engine thread and a
// caller, to prove that the set-up would have seen one.
#include "core/engine/LatestWorker.h"
#include "core/engine/Sweep.h"
#include "tests/support/TinyGguf.h"
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>
#include <unistd.h>

using namespace fovea;
using namespace fovea::test;
using namespace std::chrono_literals;

namespace {

using SnapshotPtr = std::shared_ptr<const Snapshot>;

/// The model's file for as long as this lives.
struct ModelFile {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("fovea-tsan-" + std::to_string(getpid()) + ".gguf");
    ModelFile() { std::ofstream(path, std::ios::binary) << tinyModel().bytes(); }
    ~ModelFile() { std::filesystem::remove(path); }
    ModelFile(const ModelFile&) = delete;
    ModelFile& operator=(const ModelFile&) = delete;
};

Request numbered(const ModelFile& model, int n) {
    Request request;
    std::string text;
    for (int i = 0; i < 90 + n % 3; ++i)
        text += static_cast<char>('a' + (i * i + i / 7 + n % 3) % 3);
    request.text = std::make_shared<const std::string>(text);
    request.modelPath = model.path.string();
    request.policy.local.window = 4 + n % 9;
    request.policy.always.sinks = 1;
    request.policy.routed.signal = "key_norm";
    request.policy.routed.budget = 2;
    request.visible = {n % 2, 0, {0, 64}, {0, 64}};
    request.depth = n % 4 == 0 ? Depth::Visible : Depth::Propagated;
    return request;
}

/// The newest snapshot, and how many questions were asked and answered.
struct Board {
    std::mutex mutex;
    SnapshotPtr newest;
    std::atomic<int> asked{0}, answered{0}, failed{0}, snapshots{0};
    SnapshotPtr snapshot() {
        const std::lock_guard lock(mutex);
        return newest;
    }
    LatestWorker::Callbacks callbacks() {
        return {[this](SnapshotPtr s) {
                    const std::lock_guard lock(mutex);
                    newest = std::move(s);
                    ++snapshots;
                },
                [this](std::uint64_t, const Error& e) {
                    std::printf("failed: %s\n", e.message.c_str());
                    ++failed;
                },
                [](std::uint64_t, const Progress&) {}};
    }
    Question question(std::string key, Urgency urgency, std::function<Result<>(const WorkContext&)> work) {
        ++asked;
        return {std::move(key), urgency, std::move(work), [this](const Result<>&) { ++answered; },
                [](const Progress&) {}};
    }
};

int plantRace() {
    int shared = 0; // written by the engine thread and by this one, without order
    std::atomic<bool> done{false};
    LatestWorker worker({}, 1ms, {});
    worker.ask({"",
                Urgency::Visible,
                [&](const WorkContext&) -> Result<> {
                    for (int i = 0; i < 1000; ++i)
                        ++shared;
                    return {};
                },
                [&](const Result<>&) { done.store(true, std::memory_order_relaxed); },
                {}});
    while (!done.load(std::memory_order_relaxed))
        ++shared;
    std::printf("planted race gave %d\n", shared);
    return 0;
}

Result<> sweepOver(const SnapshotPtr& source, const WorkContext& work) {
    if (!source || !source->full || !source->full->complete)
        return {};
    SweepPlan plan;
    plan.base = source->request->policy;
    plan.axes = {{"window", {std::int64_t{1}, std::int64_t{2}, std::int64_t{8}}}};
    auto points = sweepPolicies(plan);
    FOVEA_TRY(points);
    return runSweep(
        *source, *points, true, [](std::size_t) {}, work);
}

Result<> tileOf(const SnapshotPtr& source) {
    for (int layer = 0; source && layer < 2; ++layer)
        if (const auto from = source->tileSource(layer)) {
            static_cast<void>(makeTile({layer, 0, MapQuantity::Full, Pooling::Max, 0, 0, 0}, *from, 1));
            if (from->plan && source->visible->head < 0)
                static_cast<void>(makeTile({layer, 0, MapQuantity::Hybrid, Pooling::Max, 0, 0, 0}, *from, 1));
        }
    return {};
}

bool sameBits(const Snapshot& a, const Snapshot& b) {
    const Matrix& x = *a.propagated->hidden;
    const Matrix& y = *b.propagated->hidden;
    return x.bytes() == y.bytes() && std::memcmp(x.view().data, y.view().data, x.bytes()) == 0;
}

} // namespace

int main(int argc, char** argv) {
    if (argc > 1 && std::strcmp(argv[1], "--race") == 0)
        return plantRace();
    const ModelFile model;
    Board board;
    const Request last = numbered(model, 1);
    SnapshotPtr got;
    {
        LatestWorker worker(board.callbacks(), 2ms);
        constexpr int kRounds = 60;
        std::thread requests([&] {
            for (int n = 0; n < kRounds; ++n) {
                worker.submit(numbered(model, n / 5)); // bursts of one text, as a drag
                if (n % 17 == 16)
                    worker.cancel();
                std::this_thread::sleep_for(std::chrono::milliseconds(n % 7 * 4));
            }
        });
        std::thread tiles([&] {
            for (int n = 0; n < 4 * kRounds; ++n) {
                worker.ask(board.question(
                    n % 3 == 0 ? "tip" : "", Urgency::Visible,
                    [source = board.snapshot()](const WorkContext&) { return tileOf(source); }));
                std::this_thread::sleep_for(2ms);
            }
        });
        std::thread longOnes([&] {
            for (int n = 0; n < kRounds; ++n) {
                worker.ask(board.question("lanes", Urgency::Long, [](const WorkContext& work) -> Result<> {
                    for (int i = 0; i < 20; ++i) {
                        work.report("lanes", i, 20);
                        FOVEA_TRY(work.checkpoint());
                        std::this_thread::sleep_for(200us);
                    }
                    return {};
                }));
                if (n % 5 == 4)
                    worker.drop("lanes");
                std::this_thread::sleep_for(5ms);
            }
        });
        std::thread sweeps([&] {
            for (int n = 0; n < 12; ++n) {
                worker.ask(board.question("sweep", Urgency::Background,
                                          [source = board.snapshot()](const WorkContext& work) {
                                              return sweepOver(source, work);
                                          }));
                static_cast<void>(worker.idle());
                std::this_thread::sleep_for(30ms);
            }
        });
        for (std::thread* t : {&requests, &tiles, &longOnes, &sweeps})
            t->join();
        worker.submit(last);
        while (!worker.idle())
            std::this_thread::sleep_for(1ms);
        got = board.snapshot();
        worker.ask(
            board.question("", Urgency::Background, [](const WorkContext&) -> Result<> { return {}; }));
        worker.submit(numbered(model, 2)); // destroyed with both under way
    }
    Engine alone;
    const auto expected = alone.run(last, {}, WorkContext{});
    if (!expected || !got || !got->propagated || !sameBits(**expected, *got)) {
        std::printf("the last run's bits differ from those of a run alone: alone %s, here %s\n",
                    expected ? "done" : expected.error().message.c_str(),
                    !got               ? "nothing"
                    : !got->propagated ? "not finished"
                                       : "done");
        return 1;
    }
    if (board.answered != board.asked || board.failed != 0) {
        std::printf("%d questions asked, %d answered, %d requests failed\n", board.asked.load(),
                    board.answered.load(), board.failed.load());
        return 1;
    }
    std::printf("ok: %d questions answered, %d snapshots\n", board.answered.load(), board.snapshots.load());
    return 0;
}
