#include "core/measure/Cost.h"
#include "core/model/Forward.h"
#include "core/plan/AttentionPlan.h"
#include "tests/support/CausalPairs.h"
#include <QTest>
#include <cmath>
#include <functional>

using namespace fovea;
using fovea::test::causalPairs;

namespace {

ModelShape smallShape() {
    ModelShape shape;
    shape.family = "llama";
    shape.layers = 2;
    shape.width = 64;
    shape.feedForward = 128;
    shape.heads = 4;
    shape.kvHeads = 2;
    shape.headDim = 16;
    shape.context = 512;
    shape.vocabulary = 100;
    return shape;
}

AttentionPolicy windowed(std::int64_t window, std::int64_t sinks = 0) {
    AttentionPolicy policy;
    policy.local.window = window;
    policy.always.sinks = sinks;
    return policy;
}

/// Pairs of all layers and heads when row i reads min(i + 1, b) keys.
std::uint64_t pairsOfRows(std::size_t tokens, std::size_t b, const ModelShape& shape) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < tokens; ++i)
        sum += std::min(i + 1, b);
    return sum * static_cast<std::uint64_t>(shape.layers * shape.heads);
}

Cost costOf(const AttentionPolicy& policy, std::size_t tokens, std::size_t rowLength,
            std::uint64_t routerMacs) {
    const ModelShape shape = smallShape();
    Cost cost;
    cost.full.pairs = pairsOfRows(tokens, tokens, shape);
    cost.hybrid.pairs = pairsOfRows(tokens, rowLength, shape);
    cost.hybrid.routerMacs = routerMacs;
    countArm(cost.full, shape, AttentionPolicy{}, tokens);
    countArm(cost.hybrid, shape, policy, tokens);
    finishCost(cost, shape, policy, tokens);
    return cost;
}

} // namespace

class tst_MeasureCost : public QObject {
    Q_OBJECT
private slots:
    void fullArm_hasRatiosOfOne();
    void density_leavesTheRouterOut();
    void kvBytes_onlyForgettingStoresLess_data();
    void kvBytes_onlyForgettingStoresLess();
    void farField_isCharged();
    void f32Tier_holdsEveryToken();
    void roundedKeys_areCounted();
    void breakEven_isWhereBothCostTheSame();
    void breakEven_isEmptyWhereItIsNotDefined();
    void medianOf_hasASpreadFromTwoOn();
    void surprisal_costsAPass();
    void secondsRatio_needsBothClocks();
};

void tst_MeasureCost::fullArm_hasRatiosOfOne() {
    const Cost cost = costOf({}, 100, 100, 0);
    QCOMPARE(cost.density, 1.0);
    QCOMPARE(cost.pairsRatio, 1.0);
    QCOMPARE(cost.flopsRatio, 1.0);
    QCOMPARE(cost.kvBytesRatio, 1.0);
    QVERIFY(!cost.breakEvenTokens);
    QCOMPARE(cost.full.attentionFlops, 4U * 16U * cost.full.pairs);
    QCOMPARE(cost.full.pairs, 8U * causalPairs(100));
    // Two per multiply-add: q, k, v and output, three matrices of the feed-forward, and the output
    // vocabulary.
    QCOMPARE(cost.full.denseFlops,
             2U * 100U * (2U * (64U * 64U * 2U + 64U * 32U * 2U + 3U * 64U * 128U) + 64U * 100U));
}

void tst_MeasureCost::density_leavesTheRouterOut() {
    const Cost cost = costOf(windowed(10), 100, 10, 32 * 1000); // 1000 pair equivalents
    QCOMPARE(cost.density, static_cast<double>(cost.hybrid.pairs) / static_cast<double>(cost.full.pairs));
    QCOMPARE(cost.pairsRatio,
             static_cast<double>(cost.hybrid.pairs + 1000) / static_cast<double>(cost.full.pairs));
    const auto dense = static_cast<double>(cost.full.denseFlops);
    QCOMPARE(cost.flopsRatio, (64.0 * static_cast<double>(cost.hybrid.pairs) + 64000 + dense) /
                                  (64.0 * static_cast<double>(cost.full.pairs) + dense));
    QVERIFY(dense > 0);
}

void tst_MeasureCost::kvBytes_onlyForgettingStoresLess_data() {
    QTest::addColumn<AttentionPolicy>("policy");
    QTest::addColumn<int>("tokens");
    AttentionPolicy routed = windowed(10, 4);
    routed.routed.signal = "key_norm";
    routed.routed.budget = 8;
    AttentionPolicy dilated = windowed(10);
    dilated.local.dilation = 3;
    AttentionPolicy chunked = windowed(0);
    chunked.local.chunk = 20;
    chunked.local.chunkPrevious = 1;
    AttentionPolicy pinned = windowed(10);
    pinned.always.pinned = {{3, 7, Role::Keys}};
    AttentionPolicy reader = windowed(10);
    reader.always.pinned = {{3, 3, Role::Both}};
    AttentionPolicy mixed = windowed(10);
    mixed.mix.fullLayers = {1};
    QTest::newRow("full") << AttentionPolicy{} << 200;
    QTest::newRow("window") << windowed(10, 4) << 28;
    QTest::newRow("routing stores all") << routed << 200;
    QTest::newRow("dilated window") << dilated << 56;
    QTest::newRow("chunks") << chunked << 80;
    QTest::newRow("pinned keys") << pinned << 30;
    QTest::newRow("a pinned reader needs all") << reader << 200;
    QTest::newRow("one layer full") << mixed << 110;
}

void tst_MeasureCost::kvBytes_onlyForgettingStoresLess() {
    QFETCH(AttentionPolicy, policy);
    QFETCH(int, tokens); // stored, over both layers, of 2 x 100
    ArmCost arm;
    countArm(arm, smallShape(), policy, 100);
    QCOMPARE(arm.kvBytes, static_cast<std::uint64_t>(tokens) * 2 * 2 * 16 * 4);
}

void tst_MeasureCost::farField_isCharged() {
    Cost cost;
    cost.full.pairs = 100;
    cost.hybrid.pairs = 10;
    cost.hybrid.farMacs = 64;
    countArm(cost.hybrid, smallShape(), windowed(10), 100);
    QCOMPARE(cost.hybrid.attentionFlops, 4U * 16U * 10U + 2U * 64U);
    finishCost(cost, smallShape(), windowed(10), 100);
    QCOMPARE(cost.pairsRatio, 0.12); // 64 multiply-adds are the products of two pairs
    QCOMPARE(cost.density, 0.1);
}

void tst_MeasureCost::f32Tier_holdsEveryToken() {
    for (const AttentionPolicy& policy : {AttentionPolicy{}, windowed(10, 4)})
        QCOMPARE(tierBytes(smallShape(), policy, 100).f32, 2U * 2U * 2U * 16U * 4U * 100U);
}

void tst_MeasureCost::roundedKeys_areCounted() {
    AttentionPolicy policy = windowed(10);
    policy.routed.signal = "group_dot";
    ArmCost arm;
    countArm(arm, smallShape(), policy, 100);
    QCOMPARE(arm.routerBytes, 2U * 2U * 100U * (16U + 4U));
    policy.routed.bits = 4;
    countArm(arm, smallShape(), policy, 100);
    QCOMPARE(arm.routerBytes, 2U * 2U * 100U * (8U + 4U));
}

void tst_MeasureCost::breakEven_isWhereBothCostTheSame() {
    // The design's example: rows of 64 keys and 20 pair equivalents of routing per row meet full attention at
    // 138 tokens.
    AttentionPolicy policy = windowed(32);
    policy.routed.signal = "key_norm";
    policy.routed.budget = 32;
    const std::uint64_t rows = 1000 * 8;
    const Cost cost = costOf(policy, 1000, 64, rows * 20 * 32);
    QVERIFY(cost.breakEvenTokens);
    QVERIFY2(std::abs(*cost.breakEvenTokens - 138.4) < 0.5,
             qPrintable(QString::number(*cost.breakEvenTokens)));

    // A router that asks every earlier key at a sixteenth of a pair each: B / (1 - 1/4).
    policy.routed.signal = "group_dot";
    const std::uint64_t macs = 8 * causalPairs(1000) * 32 / 16;
    const Cost growing = costOf(policy, 1000, 64, macs);
    QVERIFY(growing.breakEvenTokens);
    QVERIFY2(std::abs(*growing.breakEvenTokens - 64 / 0.75) < 0.5,
             qPrintable(QString::number(*growing.breakEvenTokens)));
}

void tst_MeasureCost::breakEven_isEmptyWhereItIsNotDefined() {
    AttentionPolicy policy = windowed(32);
    policy.routed.signal = "oracle";
    policy.routed.budget = 32;
    QVERIFY(!costOf(policy, 1000, 64, 8 * causalPairs(1000) * 32).breakEvenTokens); // a full score: never
    policy.routed.signal = "key_norm";
    policy.routed.budgetKind = BudgetKind::Fraction;
    policy.routed.budget = 0.1;
    QVERIFY(!costOf(policy, 1000, 64, 0).breakEvenTokens);
    // Rows of several lengths, or rows that depend on the phase, have no one length to solve for.
    QVERIFY(costOf(windowed(32), 1000, 32, 0).breakEvenTokens);
    NamedHeadParts named;
    named.name = "other";
    named.parts.local.window = 8;
    const auto none = [&](const std::function<void(AttentionPolicy&)>& change) {
        AttentionPolicy changed = windowed(32);
        changed.headPolicies = {named};
        change(changed);
        return !costOf(changed, 1000, 32, 0).breakEvenTokens;
    };
    QVERIFY(none([](AttentionPolicy& p) { p.mix.layers = {"other", ""}; }));
    QVERIFY(none([](AttentionPolicy& p) { p.mix.heads = {{"other"}}; }));
    QVERIFY(none([](AttentionPolicy& p) { p.mix.fullLayers = {1}; }));
    QVERIFY(none([](AttentionPolicy& p) { p.mix.fullEvery = 2; }));
    QVERIFY(none([](AttentionPolicy& p) { p.far.far = Far::Linear; }));
}

void tst_MeasureCost::medianOf_hasASpreadFromTwoOn() {
    QVERIFY(!medianOf({2}).spread);
    QCOMPARE(medianOf({2}).median, 2.0);
    QCOMPARE(medianOf({4, 1}).spread, std::optional<double>(3));
    QCOMPARE(medianOf({4, 1}).median, 2.5);
    QCOMPARE(medianOf({4, 1, 2}).median, 2.0);
    QCOMPARE(medianOf({}).runs, 0);
}

void tst_MeasureCost::surprisal_costsAPass() {
    const ModelShape shape = smallShape();
    AttentionPolicy policy = windowed(32);
    policy.routed.signal = "surprisal";
    const DenseCost dense = denseCostPerToken(shape);
    QCOMPARE(extraPassMacs(shape, policy, 50),
             (dense.layers + dense.logits) * 50 + 8U * 32U * causalPairs(50));
    policy.routed.signal = "key_norm";
    QCOMPARE(extraPassMacs(shape, policy, 50), std::uint64_t{0});
}

void tst_MeasureCost::secondsRatio_needsBothClocks() {
    Cost cost = costOf(windowed(10), 100, 10, 0);
    QVERIFY(!cost.secondsRatio);
    cost.full.total = {2.0, {}, 1};
    finishCost(cost, smallShape(), windowed(10), 100);
    QVERIFY(!cost.secondsRatio);
    cost.hybrid.total = {0.5, {}, 1};
    finishCost(cost, smallShape(), windowed(10), 100);
    QCOMPARE(cost.secondsRatio, std::optional<double>(0.25));
    forgetSeconds(cost);
    QVERIFY(!cost.secondsRatio);
    QCOMPARE(cost.hybrid.total, Seconds{});
    QCOMPARE(cost.full.total.median, 2.0);
}

QTEST_APPLESS_MAIN(tst_MeasureCost)
#include "tst_MeasureCost.moc"
