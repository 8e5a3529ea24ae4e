#include "ui/run/RunController.h"
#include <QSignalSpy>
#include <QTest>
#include <atomic>
#include <mutex>
#include <thread>

using namespace fovea;
using namespace fovea::ui;

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
            &owner,
            [&worker] {
                worker = std::this_thread::get_id();
                return std::make_shared<int>(42);
            },
            [&](const std::shared_ptr<int>& value) {
                got = *value;
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
            &owner, [] { return std::make_shared<int>(1); },
            [&](const std::shared_ptr<int>&) { done = true; });
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
            owner.get(),
            [&] {
                std::this_thread::sleep_for(20ms);
                worked = true;
                return std::make_shared<int>(1);
            },
            [&](const std::shared_ptr<int>&) { called = true; });
        owner.reset();
        QTRY_VERIFY(worked);
        QTest::qWait(30);
        QVERIFY(!called);
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
