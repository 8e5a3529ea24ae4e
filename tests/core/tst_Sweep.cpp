#include "core/engine/Sweep.h"
#include "tests/support/RealModel.h"
#include <QTest>
#include <cmath>

using namespace fovea;

namespace {

SweepPoint pointAt(double cost, double kl, PointKind kind = PointKind::Policy) {
    SweepPoint point;
    point.cost.pairsRatio = cost;
    point.fidelity.nextTokenKl = kl;
    point.kind = kind;
    point.done = true;
    return point;
}

SweepPlan routedPlan() {
    SweepPlan plan;
    plan.base.local.window = 32;
    plan.base.always.sinks = 4;
    plan.base.routed.signal = "key_norm";
    plan.base.routed.budget = 8;
    return plan;
}

} // namespace

class tst_Sweep : public QObject {
    Q_OBJECT
private slots:
    void axis_data();
    void axis();
    void badAxis_data();
    void badAxis();
    void grid_firstAxisSlowest();
    void axisGivenTwice_isRefused();
    void controls_standBesideTheRouterOnce();
    void controls_whereTheyCannotStand();
    void illegalCombination_isRefusedBeforeAnythingRuns();
    void axisThatChangesNothing_isRefused();
    void pareto_marksWhatNothingBeats();
    void runsOnTheRealModel();
    void cancelled_keepsWhatIsDone();
};

void tst_Sweep::axis_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("param");
    QTest::addColumn<QList<double>>("values");
    QTest::newRow("list") << "route-count=0,8,32"
                          << "route-count" << QList<double>{0, 8, 32};
    QTest::newRow("doubling") << "window=16:4096:x2"
                              << "window" << QList<double>{16, 32, 64, 128, 256, 512, 1024, 2048, 4096};
    QTest::newRow("steps") << "window=16:64:16"
                           << "window" << QList<double>{16, 32, 48, 64};
    QTest::newRow("not hit exactly") << "window=16:60:16"
                                     << "window" << QList<double>{16, 32, 48};
    QTest::newRow("one value") << "window=16:16:x2"
                               << "window" << QList<double>{16};
    QTest::newRow("all") << "window=8,all"
                         << "window" << QList<double>{8, static_cast<double>(kAll)};
    QTest::newRow("underscore") << "route_count=8"
                                << "route-count" << QList<double>{8};
    QTest::newRow("fractions") << "route-fraction=0.1:0.3:0.1"
                               << "route-fraction" << QList<double>{0.1, 0.2, 0.3};
    QTest::newRow("rounded once") << "window=1:4:x1.2"
                                  << "window" << QList<double>{1, 2, 3, 4};
}

void tst_Sweep::axis() {
    QFETCH(QString, text);
    QFETCH(QString, param);
    QFETCH(QList<double>, values);
    const Result<SweepAxis> axis = parseSweepAxis(text.toStdString());
    QVERIFY2(axis, axis ? "" : axis.error().message.c_str());
    QCOMPARE(QString::fromStdString(axis->param), param);
    QCOMPARE(static_cast<qsizetype>(axis->values.size()), values.size());
    for (qsizetype i = 0; i < values.size(); ++i) {
        const ParamValue& v = axis->values[static_cast<std::size_t>(i)];
        const double got = std::holds_alternative<double>(v) ? std::get<double>(v)
                                                             : static_cast<double>(std::get<std::int64_t>(v));
        QVERIFY(std::abs(got - values[i]) < 1e-9);
    }
}

void tst_Sweep::badAxis_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("says");
    QTest::newRow("no values") << "window"
                               << "window=16:4096:x2";
    QTest::newRow("nothing after equals") << "window="
                                          << "window";
    QTest::newRow("unknown") << "windows=1,2"
                             << "windows";
    QTest::newRow("backwards") << "window=64:16:x2"
                               << "backwards";
    QTest::newRow("factor one") << "window=1:64:x1"
                                << "factor";
    QTest::newRow("step zero") << "window=1:64:0"
                               << "step";
    QTest::newRow("from zero by factor") << "window=0:64:x2"
                                         << "factor";
    QTest::newRow("no number") << "window=a:64:x2"
                               << "numbers";
    QTest::newRow("two parts") << "window=1:64"
                               << "first:last";
    QTest::newRow("not a number") << "window=1,b"
                                  << "window";
    QTest::newRow("out of range") << "sinks=4,100000"
                                  << "sinks";
    QTest::newRow("NaN") << "window=nan:64:x2"
                         << "numbers";
    QTest::newRow("too many") << "window=1:1000000:1"
                              << "more than";
}

void tst_Sweep::badAxis() {
    QFETCH(QString, text);
    QFETCH(QString, says);
    const Result<SweepAxis> axis = parseSweepAxis(text.toStdString());
    QVERIFY(!axis);
    QCOMPARE(axis.error().code, ErrorCode::BadValue);
    QVERIFY2(QString::fromStdString(axis.error().message).contains(says), axis.error().message.c_str());
}

void tst_Sweep::grid_firstAxisSlowest() {
    SweepPlan plan = routedPlan();
    plan.controls = false;
    plan.axes = {parseSweepAxis("window=16,32").value(), parseSweepAxis("route-count=4,8,16").value()};
    const Result<std::vector<SweepPoint>> points = sweepPolicies(plan);
    QVERIFY2(points, points ? "" : points.error().message.c_str());
    QCOMPARE(points->size(), std::size_t{6});
    const std::int64_t windows[] = {16, 16, 16, 32, 32, 32};
    const double counts[] = {4, 8, 16, 4, 8, 16};
    for (std::size_t i = 0; i < 6; ++i) {
        QCOMPARE((*points)[i].policy.local.window, windows[i]);
        QCOMPARE((*points)[i].policy.routed.budget, counts[i]);
        QCOMPARE((*points)[i].policy.always.sinks, std::int64_t{4});
        QCOMPARE((*points)[i].values.size(), std::size_t{2});
        QVERIFY(std::isnan((*points)[i].massRecall)); // not asked yet is not zero
    }
}

void tst_Sweep::axisGivenTwice_isRefused() {
    SweepPlan plan = routedPlan();
    const std::pair<const char*, const char*> pairs[] = {{"window=1,2", "window=3"},
                                                         {"route-count=1", "route_count=2"},
                                                         {"route-count=1,2", "route-fraction=0.1,0.2"}};
    for (const auto& [first, second] : pairs) {
        plan.axes = {parseSweepAxis(first).value(), parseSweepAxis(second).value()};
        const Result<std::vector<SweepPoint>> points = sweepPolicies(plan);
        QVERIFY2(!points, first);
        QCOMPARE(points.error().code, ErrorCode::BadValue);
        QVERIFY2(points.error().message.find(plan.axes[1].param) != std::string::npos,
                 points.error().message.c_str());
    }
}

void tst_Sweep::controls_standBesideTheRouterOnce() {
    SweepPlan plan = routedPlan();
    plan.axes = {parseSweepAxis("route=key_norm,group_dot").value()};
    const Result<std::vector<SweepPoint>> points = sweepPolicies(plan);
    QVERIFY(points);
    // key_norm, its random, its oracle, group_dot: the same controls serve both.
    QCOMPARE(points->size(), std::size_t{4});
    QCOMPARE((*points)[1].kind, PointKind::RandomControl);
    QCOMPARE((*points)[1].policy.routed.signal, std::string("random"));
    QCOMPARE((*points)[1].policy.routed.budget, 8.0);
    QCOMPARE((*points)[2].kind, PointKind::OracleControl);
    QCOMPARE((*points)[2].policy.routed.signal, std::string("oracle"));
    QCOMPARE((*points)[3].kind, PointKind::Policy);
}

void tst_Sweep::controls_whereTheyCannotStand() {
    AttentionPolicy policy;
    QVERIFY(!controlPolicy(policy, PointKind::RandomControl)); // nothing is routed
    policy.routed.signal = "random";
    QVERIFY(!controlPolicy(policy, PointKind::RandomControl));
    QVERIFY(controlPolicy(policy, PointKind::OracleControl));
    policy.routed.signal = "query_peak";
    policy.routed.role = Role::Queries;
    policy.routed.queryBudget = 4;
    QVERIFY(controlPolicy(policy, PointKind::RandomControl));
    QVERIFY(!controlPolicy(policy, PointKind::OracleControl)); // ranks keys only
    policy = routedPlan().base;
    policy.routed.budgetKind = BudgetKind::Threshold; // another signal's bar is another budget
    QVERIFY(!controlPolicy(policy, PointKind::OracleControl));
}

void tst_Sweep::illegalCombination_isRefusedBeforeAnythingRuns() {
    SweepPlan plan = routedPlan();
    plan.axes = {{"window", {std::int64_t{-3}}}};
    const Result<std::vector<SweepPoint>> points = sweepPolicies(plan);
    QVERIFY(!points);
    QCOMPARE(points.error().code, ErrorCode::BadValue);
    plan.axes = {{"nonsense", {std::int64_t{1}}}};
    QVERIFY(!sweepPolicies(plan));
    plan.axes = {{"window", {}}};
    QVERIFY(!sweepPolicies(plan));
}

void tst_Sweep::axisThatChangesNothing_isRefused() {
    SweepPlan plan;
    plan.base.local.window = 32; // nothing is routed, so a count of routed keys does nothing
    plan.axes = {parseSweepAxis("route-count=4,8").value()};
    const Result<std::vector<SweepPoint>> points = sweepPolicies(plan);
    QVERIFY(!points);
    QVERIFY2(points.error().message.find("route-count") != std::string::npos, points.error().message.c_str());
}

void tst_Sweep::pareto_marksWhatNothingBeats() {
    std::vector<SweepPoint> points{pointAt(0.1, 0.5),
                                   pointAt(0.2, 0.3),
                                   pointAt(0.3, 0.4), // beaten by the one before
                                   pointAt(0.2, 0.35),
                                   pointAt(0.2, 0.3), // the same as the second: both stand
                                   pointAt(0.01, 0.01, PointKind::OracleControl),
                                   pointAt(0.05, 0.01)};
    points.back().done = false; // not run: it neither counts nor beats
    markPareto(points);
    const bool want[] = {true, true, false, false, true, false, false};
    for (std::size_t i = 0; i < points.size(); ++i)
        QCOMPARE(points[i].pareto, want[i]);
}

void tst_Sweep::runsOnTheRealModel() {
    FOVEA_NEED_MODEL();
    Request request = test::requestOf(test::factText());
    request.depth = Depth::Visible;
    const auto snapshot = Engine().run(request, {}, {});
    QVERIFY2(snapshot, snapshot ? "" : snapshot.error().message.c_str());
    SweepPlan plan;
    plan.base = request.policy;
    plan.axes = {parseSweepAxis("window=16,all").value()};
    Result<std::vector<SweepPoint>> points = sweepPolicies(plan);
    QVERIFY(points);
    std::vector<std::size_t> order;
    QVERIFY(runSweep(**snapshot, *points, true, [&](std::size_t i) { order.push_back(i); }, {}));
    QCOMPARE(order.size(), points->size());
    markPareto(*points);
    const SweepPoint& routed = (*points)[0];
    const SweepPoint& random = (*points)[1];
    const SweepPoint& full = (*points)[3];
    QCOMPARE(full.policy.local.window, kAll);
    QCOMPARE(full.fidelity.nextTokenKl, 0.0);
    QVERIFY(full.pareto);
    QCOMPARE(full.massRecall, 1.0);
    QCOMPARE(routed.cost.hybrid.pairs, random.cost.hybrid.pairs); // the same budget
    QVERIFY(routed.fidelity.nextTokenKl < random.fidelity.nextTokenKl);
    QVERIFY(routed.massRecall > random.massRecall);
    QVERIFY(!random.pareto);
}

void tst_Sweep::cancelled_keepsWhatIsDone() {
    FOVEA_NEED_MODEL();
    Request request = test::requestOf("The harbour office wrote the code on the blue door.");
    request.depth = Depth::Visible;
    const auto snapshot = Engine().run(request, {}, {});
    QVERIFY(snapshot);
    SweepPlan plan;
    plan.base = request.policy;
    plan.base.always.sinks = 0;
    plan.base.routed = {};
    plan.controls = false;
    plan.axes = {parseSweepAxis("window=2,4,8").value()};
    std::vector<SweepPoint> points = sweepPolicies(plan).value();
    WorkContext work;
    const Result<> done = runSweep(
        **snapshot, points, false, [&](std::size_t) { work.cancel.cancel(); }, work);
    QVERIFY(!done);
    QCOMPARE(done.error().code, ErrorCode::Cancelled);
    QVERIFY(points[0].done && !points[1].done && !points[2].done);
    QVERIFY(points[0].fidelity.nextTokenKl > 0);
    QVERIFY(runSweep(**snapshot, points, false, {}, {})); // goes on where it stopped
    QVERIFY(points[1].done && points[2].done);
}

QTEST_APPLESS_MAIN(tst_Sweep)
#include "tst_Sweep.moc"
