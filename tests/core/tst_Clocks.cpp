// Measured seconds are those of the work alone: what is served at its checkpoints is subtracted by every
// clock, and a point of a sweep that was interrupted says that it was not measured.
#include "core/base/Stopwatch.h"
#include "core/engine/Engine.h"
#include "core/engine/Ladder.h"
#include "core/engine/Sweep.h"
#include "core/export/Report.h"
#include "tests/support/TinyModel.h"
#include <QRegularExpression>
#include <QTest>

using namespace fovea;

namespace {

/// Claims to have served others for 1,000 seconds at each checkpoint. A clock that subtracts them shows a
/// negative number, since the work itself takes milliseconds; one that does not shows a positive one.
WorkContext servingOthers() {
    WorkContext work;
    work.between = [given = work.given.get()] {
        given->seconds += 1000;
        return true;
    };
    return work;
}

} // namespace

class tst_Clocks : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void copiesShareTheAccount();
    void progressIsNotWork();
    void runs_subtractWhatWasServed();
    void ladder_subtractsWhatWasServed();
    void sweepPoint_interruptedIsNotMeasured();

private:
    test::TinyModelFile m_model;
    std::shared_ptr<const Snapshot> m_known;
};

void tst_Clocks::initTestCase() {
    Request request = test::tinyRequest(m_model);
    request.depth = Depth::Visible;
    Result<std::shared_ptr<const Snapshot>> done = Engine().run(request, {}, {});
    QVERIFY2(done, done ? "" : done.error().message.c_str());
    m_known = *done;
}

void tst_Clocks::copiesShareTheAccount() {
    const WorkContext work = servingOthers();
    const WorkClock clock(work);
    QVERIFY(!clock.interrupted());
    const WorkContext copy = work;
    QVERIFY(copy.checkpoint());
    QVERIFY(clock.interrupted());
    QVERIFY(clock.seconds() < -900);
    QVERIFY(!WorkClock(work).interrupted()); // what came before its time is not its business
}

void tst_Clocks::progressIsNotWork() {
    WorkContext work;
    work.progress = [&](const Progress&) { work.given->seconds += 1000; };
    const WorkClock clock(work);
    work.report("reading", 1, 2);
    QVERIFY(clock.seconds() < -900);
    QVERIFY(!clock.interrupted());
}

void tst_Clocks::runs_subtractWhatWasServed() {
    const auto full = runFull(*m_known->model, *m_known->tokens, *m_known->request, {}, servingOthers());
    QVERIFY(full);
    QVERIFY((*full)->cost.total.median < 0);

    const auto propagated = runPropagated(*m_known, m_known->request->policy, servingOthers());
    QVERIFY(propagated);
    const ArmCost& arm = propagated->cost.hybrid;
    QVERIFY(arm.total.median < 0);
    QVERIFY(arm.router.median < 0); // the router has a checkpoint of its own
    QVERIFY(arm.total.median < arm.router.median + arm.plan.median + arm.attention.median);

    const auto visible =
        runVisible(*m_known, m_known->request->policy, 1, -1, {0, m_known->tokens->size()}, servingOthers());
    QVERIFY(visible);
    QVERIFY(visible->routerSeconds < 0);

    AttentionPolicy linear; // its state is built from the first row on, with a checkpoint per layer
    linear.local.window = 8;
    linear.far.far = Far::Linear;
    linear.combine.combine = Combine::Shared;
    const auto far = runVisible(*m_known, linear, 1, -1, {0, m_known->tokens->size()}, {});
    QVERIFY(far);
    QVERIFY(far->attentionSeconds > 0);
}

void tst_Clocks::ladder_subtractsWhatWasServed() {
    const auto ladder = runLadder(*m_known, m_known->request->policy, 3, servingOthers());
    QVERIFY2(ladder, ladder ? "" : ladder.error().message.c_str());
    for (const Ladder::Named& named : ladder->rungs())
        QVERIFY2(named.rung->perToken.median < 0, std::string(named.name).c_str());
    QVERIFY(ladder->fullCached.promptSeconds < 0 && ladder->hybridCached.promptSeconds < 0);
}

void tst_Clocks::sweepPoint_interruptedIsNotMeasured() {
    SweepPlan plan;
    plan.base = m_known->request->policy;
    plan.axes.push_back(*parseSweepAxis("window=2,4,8"));
    plan.controls = false;
    auto points = *sweepPolicies(plan);
    QCOMPARE(points.size(), std::size_t{3});
    WorkContext work;
    std::size_t done = 0;
    work.between = [&] { return done == 1; }; // somebody asks while the second point runs
    QVERIFY(runSweep(
        *m_known, points, false, [&](std::size_t) { ++done; }, work));
    for (std::size_t i = 0; i < points.size(); ++i) {
        const Cost& cost = points[i].cost;
        QVERIFY(points[i].done && cost.pairsRatio > 0);
        QCOMPARE(cost.hybrid.total.runs, i == 1 ? 0 : 1);
        QCOMPARE(cost.hybrid.router.runs, i == 1 ? 0 : 1);
        QCOMPARE(cost.secondsRatio.has_value(), i != 1);
    }
    // Seconds that were not measured are empty cells.
    const std::string csv = sweepCsv(points);
    const auto line = [&](int n) {
        QString row = QString::fromStdString(csv).split('\n').at(n);
        row.replace(QRegularExpression("\"[^\"]*\""), "quoted"); // a quoted cell may hold commas
        return row.split(',').mid(7, 2);
    };
    QCOMPARE(line(0), (QStringList{"seconds_ratio", "router_seconds"}));
    QVERIFY(!line(1).contains(QString()));
    QCOMPARE(line(2), (QStringList{QString(), QString()}));
}

QTEST_APPLESS_MAIN(tst_Clocks)
#include "tst_Clocks.moc"
