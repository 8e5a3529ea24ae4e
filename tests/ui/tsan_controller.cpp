// Under ThreadSanitizer: RunController between its two threads, with the real engine on a model of some 13
// kB: changes of policy and text, drags, panning, fetches and sweeps at once, all from the GUI thread as in
// the window. Everything that crosses passes RunController's one mutex; Qt's event queue, whose library is
// not instrumented, carries calls without data. `--race` plants a hand-over beside that mutex, to prove that
// the set-up would have seen one.
#include "tests/support/TinyGguf.h"
#include "ui/run/RunController.h"
#include <QCoreApplication>
#include <QElapsedTimer>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace fovea;
using namespace fovea::ui;

namespace {

/// The model's file for as long as this lives.
struct ModelFile {
    std::filesystem::path path = std::filesystem::temp_directory_path() /
                                 ("fovea-tsan-controller-" + std::to_string(getpid()) + ".gguf");
    ModelFile() { std::ofstream(path, std::ios::binary) << test::tinyModel(3).bytes(); }
    ~ModelFile() { std::filesystem::remove(path); }
    ModelFile(const ModelFile&) = delete;
    ModelFile& operator=(const ModelFile&) = delete;
};

/// Lets the GUI thread take news until `done` or, what is a failure, for a minute.
template <class Done>
bool until(const Done& done) {
    QElapsedTimer watch;
    for (watch.start(); !done() && watch.elapsed() < 60'000;)
        QCoreApplication::processEvents(QEventLoop::WaitForMoreEvents, 5);
    return done();
}

void look(int milliseconds) {
    QElapsedTimer watch;
    for (watch.start(); watch.elapsed() < milliseconds;)
        QCoreApplication::processEvents(QEventLoop::AllEvents, 1);
}

} // namespace

int main(int argc, char** argv) {
    const bool race = argc > 1 && std::strcmp(argv[1], "--race") == 0;
    QCoreApplication app(argc, argv);
    const ModelFile model;
    Request request;
    request.modelPath = model.path.string();
    request.text = std::make_shared<const std::string>("abcabacbabcabcbbacabacbbcaabcabacbabcabcbbacab");
    request.policy.local.window = 4;
    request.policy.routed.signal = "key_norm";
    request.policy.routed.budget = 2;
    RequestModel requests(request);
    SelectionModel selection;
    RunController runs(requests, selection);
    QObject owner;
    int asked = 0, answered = 0, snapshots = 0;
    QObject::connect(&runs, &RunController::snapshotChanged, &owner, [&] { ++snapshots; });
    if (race) {
        int shared = 0;
        runs.fetch<int>(
            &owner, {},
            [&shared](const WorkContext&) -> Result<int> {
                for (int i = 0; i < 100'000; ++i)
                    ++shared;
                return 1;
            },
            [&](const Result<int>&) { ++answered; });
        static_cast<void>(until([&] { return ++shared > 0 && answered > 0; }));
        std::printf("planted race gave %d\n", shared);
        return 0;
    }
    const auto window = [&](std::int64_t w) { requests.setParam(*findParam("window"), ParamValue(w)); };
    runs.submitNow();
    for (int round = 0; round < 12; ++round) {
        requests.beginDrag(*findParam("window"));
        runs.dragStarted();
        for (int step = 0; step < 6; ++step) {
            window(2 + (round * 5 + step) % 17);
            selection.setCell(step % 3, step % 2); // panning and layers, while it runs
            ++asked;
            runs.fetch<std::vector<float>>(
                &owner, {step % 2 == 0 ? "inspector" : "", Urgency::Visible, [](const Progress&) {}},
                [now = runs.snapshot()](const WorkContext& work) -> Result<std::vector<float>> {
                    work.report("row", 0, 1);
                    return now && now->full ? now->full->nll : std::vector<float>();
                },
                [&](const Result<std::vector<float>>&) { ++answered; });
            look(3);
        }
        requests.endDrag();
        runs.dragEnded();
        if (round % 3 == 0) {
            SweepPlan plan;
            plan.base = requests.request().policy;
            plan.axes = {{"window", {std::int64_t{1}, std::int64_t{3}}}};
            runs.startSweep(plan);
        }
        if (round % 4 == 3)
            requests.setText("abcab" + std::string(static_cast<std::size_t>(20 + round), 'c'),
                             QStringLiteral("text"));
        if (round % 5 == 4)
            runs.cancelRun();
        look(20);
    }
    runs.submitNow();
    if (!until([&] { return !runs.updating() && !runs.sweeping() && answered == asked; })) {
        std::printf("%d questions asked, %d answered; updating %d, sweeping %d\n", asked, answered,
                    runs.updating() ? 1 : 0, runs.sweeping() ? 1 : 0);
        return 1;
    }
    if (!runs.lastComplete() || runs.standing(*runs.lastComplete()) != Standing::Current) {
        std::printf("the last run's result is not there\n");
        return 1;
    }
    window(9); // destroyed with a run under way
    std::printf("ok: %d questions answered, %d snapshots shown\n", answered, snapshots);
    return 0;
}
