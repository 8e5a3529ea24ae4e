#include "core/files/AtomicFile.h"
#include "tests/support/TinyGguf.h"
#include "ui/run/RunController.h"
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <atomic>
#include <mutex>
#include <thread>

using namespace fovea;
using namespace fovea::ui;
using fovea::test::tinyModel;

namespace {

using namespace std::chrono_literals;

/// A runner in the engine's place: jobs of known length that note what was asked, deliver first a partial and
/// then a final snapshot, and stop at their checkpoints.
struct Script {
    std::mutex mutex;
    std::vector<Request> asked;
    std::atomic<int> length{0};    ///< checkpoints of 5 ms
    std::atomic<bool> hold{false}; ///< waits while set
    std::atomic<bool> failing{false};
    std::atomic<int> cancelled{0};

    LatestWorker::Runner runner() {
        LatestWorker::Runner r;
        r.run = [this](const Request& request, const Engine::Deliver& deliver,
                       const WorkContext& work) -> Result<std::shared_ptr<const Snapshot>> {
            {
                const std::lock_guard lock(mutex);
                asked.push_back(request);
            }
            auto partial = std::make_shared<Snapshot>();
            partial->request = std::make_shared<const Request>(request);
            deliver(partial);
            for (int i = 0; i < length || hold; ++i) {
                std::this_thread::sleep_for(5ms);
                work.report("running", i, length);
                if (auto go = work.checkpoint(); !go) {
                    ++cancelled;
                    return tl::make_unexpected(go.error());
                }
            }
            if (failing)
                return fail(ErrorCode::BadValue,
                            "window " + std::to_string(request.policy.local.window) + " failed");
            auto result = std::make_shared<Snapshot>(*partial);
            if (request.depth == Depth::Propagated)
                result->propagated = std::make_shared<const PropagatedResult>();
            result->visible = std::make_shared<const VisibleLayer>();
            result->final = true;
            deliver(result);
            return std::shared_ptr<const Snapshot>(result);
        };
        return r;
    }
    std::vector<Request> requests() {
        const std::lock_guard lock(mutex);
        return asked;
    }
};

Request start() {
    Request request;
    request.text = std::make_shared<const std::string>("a b c");
    request.policy = *presetPolicy("default");
    request.modelPath = "none.gguf";
    return request;
}

void setWindow(RequestModel& model, std::int64_t window) {
    model.setParam(*findParam("window"), ParamValue(window));
}

std::int64_t windowOf(const SnapshotPtr& snapshot) {
    return snapshot ? snapshot->request->policy.local.window : -1;
}

} // namespace

class TestRunController : public QObject {
    Q_OBJECT

private slots:
    void change_runsAndSettles() {
        Script script;
        RequestModel requests(start());
        SelectionModel selection;
        RunController runs(requests, selection, script.runner());
        QSignalSpy updating(&runs, &RunController::updatingChanged);
        setWindow(requests, 64);
        QVERIFY(runs.updating());
        QTRY_VERIFY(!runs.updating());
        QCOMPARE(windowOf(runs.snapshot()), 64);
        QVERIFY(runs.lastComplete() == runs.snapshot());
        QCOMPARE(updating.size(), 2);
    }

    void noModel_runsNothing() {
        Script script;
        Request request = start();
        request.modelPath.clear();
        RequestModel requests(request);
        SelectionModel selection;
        RunController runs(requests, selection, script.runner());
        setWindow(requests, 64);
        QVERIFY(!runs.updating());
        QTest::qWait(30);
        QVERIFY(script.requests().empty());
    }

    void drag_lastValueWins_oldPictureStays() {
        Script script;
        RequestModel requests(start());
        SelectionModel selection;
        RunController runs(requests, selection, script.runner());
        runs.submitNow();
        QTRY_VERIFY(runs.lastComplete());
        const SnapshotPtr before = runs.lastComplete();

        script.length = 4;
        requests.beginDrag(*findParam("window"));
        runs.dragStarted();
        for (std::int64_t w = 127; w >= 16; w -= 3) {
            setWindow(requests, w);
            QTest::qWait(2);
            QVERIFY(runs.snapshot()->visible);      // a request that has only begun empties nothing
            QVERIFY(runs.lastComplete() == before); // a drag propagates nothing
            QVERIFY(runs.updating());
        }
        requests.endDrag();
        runs.dragEnded();
        QTRY_VERIFY(!runs.updating());
        QCOMPARE(windowOf(runs.lastComplete()), 16);
        const std::vector<Request> asked = script.requests();
        QVERIFY2(asked.size() < 38, qPrintable(QString::number(asked.size()))); // skipped, not queued
        for (std::size_t i = 1; i + 1 < asked.size(); ++i)
            QVERIFY(asked[i].depth == Depth::Visible);
        QVERIFY(asked.back().depth == Depth::Propagated);
    }

    void shortJobs_finishInADrag() {
        Script script;
        script.length = 4; // 20 ms: under the patience of 150 ms
        RequestModel requests(start());
        SelectionModel selection;
        RunController runs(requests, selection, script.runner());
        runs.dragStarted();
        std::set<std::int64_t> seen;
        connect(&runs, &RunController::snapshotChanged, this, [&] {
            if (runs.snapshot()->final)
                seen.insert(windowOf(runs.snapshot()));
        });
        for (std::int64_t w = 100; w > 40; --w) {
            setWindow(requests, w);
            QTest::qWait(5);
        }
        runs.dragEnded();
        QTRY_VERIFY(!runs.updating());
        QVERIFY2(seen.size() > 1, qPrintable(QString::number(seen.size()))); // no starvation
    }

    void generations_neverGoBack() {
        Script script;
        script.length = 2;
        RequestModel requests(start());
        SelectionModel selection;
        RunController runs(requests, selection, script.runner());
        std::uint64_t last = 0;
        bool ordered = true;
        connect(&runs, &RunController::snapshotChanged, this, [&] {
            ordered = ordered && runs.snapshot()->generation >= last;
            last = runs.snapshot()->generation;
        });
        for (std::int64_t w = 200; w > 150; --w) {
            setWindow(requests, w);
            QTest::qWait(3);
        }
        QTRY_VERIFY(!runs.updating());
        QVERIFY(ordered);
        QCOMPARE(windowOf(runs.snapshot()), 151);
    }

    void error_isShown_outdatedErrorIsNot() {
        Script script;
        RequestModel requests(start());
        SelectionModel selection;
        RunController runs(requests, selection, script.runner());
        QSignalSpy failed(&runs, &RunController::failed);
        runs.submitNow();
        QTRY_VERIFY(runs.lastComplete());
        script.failing = true;
        setWindow(requests, 64);
        QTRY_COMPARE(failed.size(), 1);
        QVERIFY(failed[0][0].toString().contains(QStringLiteral("64")));
        QVERIFY(!runs.updating());
        QVERIFY(runs.lastComplete()); // the old result stays
        script.length = 10;
        setWindow(requests, 63); // fails too, but is outdated by then
        setWindow(requests, 62);
        QTRY_COMPARE(failed.size(), 2);
        QVERIFY(failed[1][0].toString().contains(QStringLiteral("62")));
    }

    void cancel_isSilent() {
        Script script;
        script.hold = true;
        RequestModel requests(start());
        SelectionModel selection;
        RunController runs(requests, selection, script.runner());
        QSignalSpy failed(&runs, &RunController::failed);
        runs.submitNow();
        QTRY_COMPARE(script.requests().size(), std::size_t{1});
        runs.cancelNewest();
        QVERIFY(!runs.updating());
        QTRY_COMPARE(script.cancelled.load(), 1);
        QCOMPARE(failed.size(), 0);
        script.hold = false;
        runs.submitNow(); // [Run] works afterwards
        QTRY_VERIFY(runs.lastComplete());
    }

    void fetch_comesBackOnThisThread() {
        Script script;
        RequestModel requests(start());
        SelectionModel selection;
        RunController runs(requests, selection, script.runner());
        QObject owner;
        std::thread::id worker, receiver;
        int got = 0;
        runs.fetch<int>(
            &owner, {},
            [&worker](const WorkContext&) -> Result<int> {
                worker = std::this_thread::get_id();
                return 42;
            },
            [&](const Result<int>& value) {
                got = value.value_or(-1);
                receiver = std::this_thread::get_id();
            });
        QTRY_COMPARE(got, 42);
        QVERIFY(worker != std::this_thread::get_id());
        QVERIFY(receiver == std::this_thread::get_id());
    }

    void fetch_isServedBetweenTwoBlocksOfARun() {
        Script script;
        script.hold = true;
        RequestModel requests(start());
        SelectionModel selection;
        RunController runs(requests, selection, script.runner());
        runs.submitNow();
        QObject owner;
        bool done = false;
        runs.fetch<int>(
            &owner, {}, [](const WorkContext&) -> Result<int> { return 1; },
            [&](const Result<int>&) { done = true; });
        QTRY_VERIFY(done);
        QVERIFY(runs.updating());
        script.hold = false;
    }

    void fetch_forgetsADestroyedOwner() {
        Script script;
        RequestModel requests(start());
        SelectionModel selection;
        RunController runs(requests, selection, script.runner());
        auto owner = std::make_unique<QObject>();
        std::atomic<bool> worked{false};
        bool called = false;
        runs.fetch<int>(
            owner.get(), {},
            [&](const WorkContext&) -> Result<int> {
                std::this_thread::sleep_for(20ms);
                worked = true;
                return 1;
            },
            [&](const Result<int>&) { called = true; });
        owner.reset();
        QTRY_VERIFY(worked);
        QTest::qWait(30);
        QVERIFY(!called);
    }

    void fetch_alwaysAnswers() {
        Script script;
        RequestModel requests(start());
        SelectionModel selection;
        RunController runs(requests, selection, script.runner());
        QObject owner;
        int values = 0, cancelled = 0;
        QString failure;
        const auto count = [&](const Result<int>& answer) {
            if (answer)
                ++values;
            else if (answer.error().code == ErrorCode::Cancelled)
                ++cancelled;
            else
                failure = QString::fromStdString(answer.error().message);
        };
        const auto one = [](const WorkContext&) -> Result<int> { return 1; };
        // The first one holds the thread until everything else has been asked.
        std::atomic<bool> go{false};
        runs.fetch<int>(
            &owner, {},
            [&go](const WorkContext&) -> Result<int> {
                while (!go)
                    std::this_thread::yield();
                return 1;
            },
            count);
        for (int i = 0; i < 600; ++i)
            runs.fetch<int>(&owner, {}, one, count);
        for (int i = 0; i < 3; ++i)
            runs.fetch<int>(&owner, {"same"}, one, count);
        runs.fetch<int>(
            &owner, {}, [](const WorkContext&) -> Result<int> { throw std::bad_alloc(); }, count);
        go = true;
        QTRY_COMPARE(values, 602); // of "same" the newest alone
        QTRY_COMPARE(cancelled, 2);
        QTRY_VERIFY2(failure.contains(QStringLiteral("memory")), qPrintable(failure));
    }

    void fetch_tellsItsProgressAndIsDropped() {
        Script script;
        RequestModel requests(start());
        SelectionModel selection;
        RunController runs(requests, selection, script.runner());
        QObject owner;
        double told = -1;
        bool cancelled = false;
        runs.fetch<int>(
            &owner, {"file", Urgency::Long, [&](const Progress& p) { told = p.done; }},
            [](const WorkContext& work) -> Result<int> {
                for (int i = 0;; ++i) {
                    work.report("hashing", i, 0);
                    FOVEA_TRY(work.checkpoint());
                    std::this_thread::sleep_for(1ms);
                }
            },
            [&](const Result<int>& answer) {
                cancelled = !answer && answer.error().code == ErrorCode::Cancelled;
            });
        QTRY_VERIFY(told >= 0);
        QVERIFY(!cancelled);
        runs.drop("file");
        QTRY_VERIFY(cancelled);
    }

    void destroyed_midRun_joins() {
        Script script;
        script.hold = true;
        RequestModel requests(start());
        SelectionModel selection;
        auto runs = std::make_unique<RunController>(requests, selection, script.runner());
        runs->submitNow();
        QTRY_COMPARE(script.requests().size(), std::size_t{1});
        runs.reset();
        QCOMPARE(script.cancelled.load(), 1);
    }

    void choosingAHead_asksForItsLayer_hoverAsksForNothing() {
        Script script;
        RequestModel requests(start());
        SelectionModel selection;
        RunController runs(requests, selection, script.runner());
        selection.setCell(7, 3);
        QTRY_VERIFY(!runs.updating() && runs.snapshot());
        QCOMPARE(script.requests().back().visible.layer, 7);
        QCOMPARE(script.requests().back().visible.head, 3);
        const std::size_t before = script.requests().size();
        selection.hover(1);
        selection.pin(2);
        selection.pinPair({2, 1});
        QTest::qWait(30);
        QCOMPARE(script.requests().size(), before);
    }

    void panning_neverStopsARun() {
        Script script;
        script.hold = true;
        RequestModel requests(start());
        SelectionModel selection;
        RunController runs(requests, selection, script.runner());
        runs.submitNow();
        QTRY_COMPARE(script.requests().size(), std::size_t{1});
        for (std::size_t first = 0; first < 40; ++first) { // longer than the worker's patience
            VisibleRect visible = requests.request().visible;
            visible.queries = {first, first + 512};
            requests.setVisible(visible);
            QTest::qWait(5);
        }
        selection.setCell(2, 1); // another layer does not stop it either
        QTest::qWait(20);
        script.hold = false;
        QTRY_VERIFY(!runs.updating());
        QCOMPARE(script.cancelled.load(), 0);
        QVERIFY(runs.lastComplete());
        QCOMPARE(runs.lastComplete()->generation, std::uint64_t{1});
    }

    /// The real engine on a tiny model, held at a checkpoint of its isolated layers.
    void anotherLayer_comesWhileTheRunGoesOn() {
        QTemporaryDir folder;
        const std::string path = folder.filePath(QStringLiteral("tiny.gguf")).toStdString();
        QVERIFY(writeFileAtomically(path, tinyModel(3).bytes()));
        const auto engine = std::make_shared<Engine>();
        std::atomic<bool> hold{true}, held{false};
        std::atomic<int> runsBegun{0};
        LatestWorker::Runner runner;
        runner.run = [&](const Request& request, const Engine::Deliver& deliver, const WorkContext& work) {
            ++runsBegun;
            WorkContext slow = work;
            slow.progress = [&](const Progress& p) {
                if (p.what != "hybrid attention")
                    return;
                held = true;
                while (hold && !work.cancel.cancelled() && work.checkpoint())
                    std::this_thread::sleep_for(1ms);
            };
            return engine->run(request, deliver, slow);
        };
        Request request = start();
        request.modelPath = path;
        request.text = std::make_shared<const std::string>("abcabacbabcabcbbacab");
        request.policy.local.window = 4;
        request.policy.routed = {};
        RequestModel requests(request);
        SelectionModel selection;
        RunController runs(requests, selection, runner);
        runs.submitNow();
        QTRY_VERIFY(held && runs.snapshot() && runs.snapshot()->visible);
        QCOMPARE(runs.snapshot()->visible->layer, 0);
        selection.setCell(2, 1);
        QVERIFY(runs.updating());
        QTRY_COMPARE(runs.snapshot()->visible->layer, 2);
        QVERIFY(runs.snapshot()->visible->fidelity); // the whole layer
        QCOMPARE(runs.snapshot()->request->visible.layer, 2);
        QVERIFY(hold && !runs.snapshot()->propagated); // and the run is where it was
        hold = false;
        QTRY_VERIFY(!runs.updating());
        QCOMPARE(runsBegun.load(), 1);
        QVERIFY(runs.snapshot()->propagated);
        QCOMPARE(runs.snapshot()->visible->layer, 2); // later snapshots keep it
    }

    void standing_comparesAllThatMatters() {
        Script script;
        RequestModel requests(start());
        SelectionModel selection;
        RunController runs(requests, selection, script.runner());
        Snapshot result;
        const auto made = [&](const std::function<void(Request&)>& change) {
            Request request = requests.request();
            change(request);
            result.request = std::make_shared<const Request>(request);
            return runs.standing(result);
        };
        QVERIFY(made([](Request&) {}) == Standing::Current);
        QVERIFY(made([](Request& r) { r.text = std::make_shared<const std::string>(*r.text); }) ==
                Standing::Current);
        QVERIFY(made([](Request& r) { r.visible.layer = 3; }) == Standing::Current);
        QVERIFY(made([](Request& r) { r.depth = Depth::Visible; }) == Standing::Current);
        QVERIFY(made([](Request& r) { r.policy.name = "other"; }) == Standing::Current);
        QVERIFY(made([](Request& r) { r.policy.local.window = 3; }) == Standing::OtherPolicy);
        QVERIFY(made([](Request& r) { r.text = std::make_shared<const std::string>("a b"); }) ==
                Standing::OtherRun);
        QVERIFY(made([](Request& r) { r.maxTokens = 2; }) == Standing::OtherRun);
        QVERIFY(made([](Request& r) { r.textTemplate = TextTemplate::Chat; }) == Standing::OtherRun);
        QVERIFY(made([](Request& r) { r.encode.specialTokens = true; }) == Standing::OtherRun);
        QVERIFY(made([](Request& r) { r.precision = Precision::BF16; }) == Standing::OtherRun);
        QVERIFY(made([](Request& r) { r.modelPath = "other.gguf"; }) == Standing::OtherRun);
        auto model = std::make_shared<Model>();
        model->info.sha256 = std::string(64, 'a');
        result.model = model;
        QVERIFY(made([](Request&) {}) == Standing::Current);
        runs.setModelHash(std::string(64, 'b')); // the file has been replaced
        QVERIFY(made([](Request&) {}) == Standing::OtherRun);
        runs.setModelHash(std::string(64, 'a'));
        QVERIFY(made([](Request&) {}) == Standing::Current);
        runs.submitNow();
        QTRY_VERIFY(runs.lastComplete());
        result.generation = 1;
        runs.setModelHash({}); // read anew: nobody knows yet whether it is the same
        QVERIFY(made([](Request&) {}) == Standing::OtherRun);
        QVERIFY(!runs.lastComplete());
        result.generation = 2; // of a run that has read it since
        QVERIFY(made([](Request&) {}) == Standing::Current);
    }

    void anotherText_takesItsResultsAndPinsAway() {
        Script script;
        RequestModel requests(start());
        SelectionModel selection;
        RunController runs(requests, selection, script.runner());
        runs.submitNow();
        QTRY_VERIFY(runs.lastComplete());
        // A text whose tokens are its letters.
        auto shown = std::make_shared<Snapshot>(*runs.snapshot());
        auto tokens = std::make_shared<Tokens>();
        Request request = requests.request();
        request.text = std::make_shared<const std::string>("one two three four");
        for (std::uint32_t i = 0; i < request.text->size(); ++i) {
            tokens->ids.push_back(static_cast<std::int32_t>(i));
            tokens->spans.push_back({i, i + 1});
            tokens->pieces.emplace_back(1, (*request.text)[i]);
        }
        requests.setText(*request.text, QStringLiteral("text"));
        shown->request = std::make_shared<const Request>(requests.request());
        shown->tokens = tokens;
        QTRY_VERIFY(!runs.updating());
        runs.adopt(shown);
        selection.togglePin(1);
        selection.togglePin(9);
        requests.setParam(*findParam("window"), ParamValue(std::int64_t{9}));
        requests.setMaxTokens(100, QStringLiteral("length"));
        QCOMPARE(selection.pins(), (std::set<int>{1, 9})); // neither policy nor length move a token
        QTRY_VERIFY(!runs.updating());
        requests.setMaxTokens(0, QStringLiteral("all"));
        runs.adopt(shown);
        requests.setText("one two 33333 four", QStringLiteral("edit"));
        QCOMPARE(selection.pins(), (std::set<int>{1})); // the ninth token is another word now
        QVERIFY(!runs.lastComplete());
        QTRY_VERIFY(!runs.updating());
        QVERIFY(runs.lastComplete());
        QVERIFY(runs.standing(*runs.lastComplete()) == Standing::Current);
        requests.setModelPath("another.gguf");
        QVERIFY(!runs.lastComplete());
    }

    void sweep_endsWithItsText() {
        QTemporaryDir folder;
        const std::string path = folder.filePath(QStringLiteral("tiny.gguf")).toStdString();
        QVERIFY(writeFileAtomically(path, tinyModel().bytes()));
        Request request = start();
        request.modelPath = path;
        request.text = std::make_shared<const std::string>("abcabacbabcabcbbacab");
        RequestModel requests(request);
        SelectionModel selection;
        RunController runs(requests, selection);
        QSignalSpy finished(&runs, &RunController::sweepFinished);
        runs.submitNow();
        QTRY_VERIFY(!runs.updating() && runs.lastComplete());
        SweepPlan plan;
        plan.base = request.policy;
        SweepAxis windows{"window", {}};
        for (std::int64_t w = 1; w <= 400; ++w)
            windows.values.emplace_back(w);
        plan.axes = {windows};
        runs.startSweep(plan);
        QVERIFY(runs.sweeping());
        const int total = runs.sweepTotal();
        QVERIFY(total >= 400);
        QTRY_VERIFY(!runs.sweepPoints().empty());
        requests.setText("bbbbacacaca", QStringLiteral("another"));
        QVERIFY(!runs.sweepIsCurrent());
        QTRY_VERIFY(!runs.sweeping());
        QCOMPARE(finished.size(), 1);
        QVERIFY(finished[0][0].toBool()); // cancelled
        QVERIFY(static_cast<int>(runs.sweepPoints().size()) < total);
        QCOMPARE(runs.sweepTotal(), total);
    }

    void sweep_withoutAFullRun_saysSo() {
        Script script;
        RequestModel requests(start());
        SelectionModel selection;
        RunController runs(requests, selection, script.runner());
        QSignalSpy finished(&runs, &RunController::sweepFinished);
        runs.startSweep({});
        QCOMPARE(finished.size(), 1);
        QVERIFY(!finished[0][1].toString().isEmpty());
        QVERIFY(!runs.sweeping());
    }
};

QTEST_GUILESS_MAIN(TestRunController)
#include "tst_RunController.moc"
