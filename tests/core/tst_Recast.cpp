// Sinks at positions of the cache, against an independent script and against the definition.
#include "core/engine/LayerRun.h"
#include "core/kernels/RecastForm.h"
#include "core/measure/AttentionColumn.h"
#include "core/measure/MapTile.h"
#include "core/model/KvCache.h"
#include "core/model/Rope.h"
#include "core/plan/Recast.h"
#include "tests/support/RandomLayer.h"
#include "tests/support/RecastCase.h"
#include <QTest>

using namespace fovea;
using namespace fovea::test;

namespace {

struct Run {
    Matrix o;
    std::vector<float> lse, exactLse;
    HybridLayer layer;
};

Run runRows(const RecastCase& g, RowRange rows, Isa isa, int head = -1) {
    Run run{
        Matrix(g.tokens, g.q.cols()), std::vector<float>(g.tokens * 2), std::vector<float>(g.tokens * 2), {}};
    const LayerTask task{
        g.shape, std::make_shared<const AttentionPolicy>(g.policy), factsOf(g.tokens), 0, head, rows, isa};
    Result<HybridLayer> done = runLayer(task, g.input, {}, {run.o.view(), run.lse}, {}, run.exactLse);
    if (!done)
        qFatal("%s", done.error().message.c_str());
    run.layer = std::move(*done);
    return run;
}

std::vector<float> fullLseOf(const RecastCase& g) {
    std::vector<float> lse(g.tokens * 2);
    Matrix o(g.tokens, g.q.cols());
    if (!attend(modelPlan(g.shape, 0, g.tokens), g.input, {o.view(), lse}, {}, {}))
        qFatal("attend failed");
    return lse;
}

} // namespace

class tst_Recast : public QObject {
    Q_OBJECT
private slots:
    void streaming_equalsTheRestatement();
    void streaming_differsFromOriginalPositions();
    void keptMass_isThatOfTheModelsOwnLogits();
    void rowsAlone_equalTheWholeText();
    void storedKeys_giveTheSameRow();
    void views_showTheReadProbability();
    void split_partsEveryPairByItsReason_data();
    void split_partsEveryPairByItsReason();
    void turn_isARotation();
    void fullWindow_recastsNothing();
};

void tst_Recast::streaming_equalsTheRestatement() {
    const RecastCase g;
    for (const Isa isa : availableIsas()) {
        const Run run = runRows(g, {0, g.tokens}, isa);
        for (std::size_t h = 0; h < 2; ++h)
            for (std::size_t i = 0; i < g.tokens; ++i) {
                const auto& row = g.row(h, i);
                QVERIFY(std::abs(real(run.lse[i * 2 + h]) - row["lse"].get<double>()) < 1e-5);
                for (std::size_t d = 0; d < 6; ++d)
                    if (!(std::abs(real(run.o.view()(i, h * 6 + d)) - row["o"][d].get<double>()) < 1e-5))
                        QFAIL(qPrintable(QString("head %1 row %2").arg(h).arg(i)));
            }
    }
}

void tst_Recast::streaming_differsFromOriginalPositions() {
    RecastCase g;
    const Run moved = runRows(g, {0, g.tokens}, defaultIsa());
    g.policy.mix.positions = Positions::Original;
    const Run original = runRows(g, {0, g.tokens}, defaultIsa());
    for (std::size_t h = 0; h < 2; ++h) {
        const std::size_t ranksAre =
            g.doc["windows"][h].get<std::size_t>() + g.doc["sinks"][h].get<std::size_t>();
        for (std::size_t i = 0; i < g.tokens; ++i) {
            const float difference = std::abs(moved.lse[i * 2 + h] - original.lse[i * 2 + h]);
            QVERIFY(i < ranksAre ? difference < 1e-6F : difference > 1e-5F);
        }
    }
    // The plan that views get holds every key with its reason.
    QCOMPARE(moved.layer.plan.pairs(), original.layer.plan.pairs());
    for (int h = 0; h < 2; ++h)
        QVERIFY(moved.layer.plan.keptKeys(h, 20) == original.layer.plan.keptKeys(h, 20));
    QVERIFY(moved.layer.plan.pairsComputed() >= moved.layer.plan.pairs());
}

void tst_Recast::keptMass_isThatOfTheModelsOwnLogits() {
    const RecastCase g;
    const std::vector<float> full = fullLseOf(g);
    const Run run = runRows(g, {0, g.tokens}, defaultIsa());
    for (std::size_t h = 0; h < 2; ++h)
        for (std::size_t i = 0; i < g.tokens; ++i)
            QVERIFY(std::abs(std::exp(real(run.exactLse[i * 2 + h]) - real(full[i * 2 + h])) -
                             g.row(h, i)["kept_mass"].get<double>()) < 1e-5);
}

void tst_Recast::rowsAlone_equalTheWholeText() {
    const RecastCase g;
    const Run whole = runRows(g, {0, g.tokens}, defaultIsa());
    for (std::size_t i = 0; i < g.tokens; ++i) {
        const Run alone = runRows(g, {i, i + 1}, defaultIsa());
        for (std::size_t n = 0; n < g.q.cols(); ++n)
            QVERIFY(std::abs(alone.o.view()(i, n) - whole.o.view()(i, n)) < 1e-6F);
        const Run head = runRows(g, {i, i + 1}, defaultIsa(), 1);
        for (std::size_t n = 0; n < 6; ++n) {
            QCOMPARE(head.o.view()(i, 6 + n), alone.o.view()(i, 6 + n));
            QCOMPARE(head.o.view()(i, n), 0.0F);
        }
    }
}

void tst_Recast::storedKeys_giveTheSameRow() {
    RecastCase g;
    g.policy = streaming(5, 3); // heads that differ keep everything
    const Run whole = runRows(g, {0, g.tokens}, defaultIsa());
    const KvRetention retention = retentionOf(g.policy, g.shape, 0);
    QCOMPARE(retention.reach, std::size_t{5});
    QCOMPARE(retention.kept.size(), std::size_t{3});
    KvCache cache(6, retention);
    cache.reserve(1); // gives up rows as soon as it may
    for (std::size_t i = 0; i < g.tokens; ++i) {
        cache.append(g.k.view().row(i), g.v.view().row(i));
        std::vector<float> o(12);
        AttentionInput input = g.input;
        input.q = g.q.view().rowRange(0, i + 1);
        input.k = cache.keys();
        input.v = cache.values();
        const LayerTask task{g.shape,
                             std::make_shared<const AttentionPolicy>(g.policy),
                             factsOf(i + 1),
                             0,
                             -1,
                             {i, i + 1},
                             defaultIsa(),
                             Precision::F32,
                             nullptr,
                             {},
                             &cache.keyRows()};
        QVERIFY(runLayer(task, input, {}, {{o.data(), i + 1, 12, 0}, {}}, {}));
        for (std::size_t n = 0; n < 12; ++n)
            QVERIFY(std::abs(o[n] - whole.o.view()(i, n)) < 1e-6F);
    }
}

void tst_Recast::views_showTheReadProbability() {
    const RecastCase g;
    const std::vector<float> full = fullLseOf(g);
    const Run run = runRows(g, {0, g.tokens}, defaultIsa());
    const TileSource source{g.input, full, run.lse, &run.layer.plan, defaultIsa()};
    for (int head = 0; head < 2; ++head) {
        const MapTile tile = makeTile({0, head, MapQuantity::Hybrid, Pooling::Max, 0, 0, 0}, source, 1);
        const MapTile change = makeTile({0, head, MapQuantity::Difference, Pooling::Max, 0, 0, 0}, source, 1);
        for (std::size_t i = 0; i < g.tokens; ++i) {
            const auto& expected = g.row(static_cast<std::size_t>(head), i);
            std::vector<double> p(g.tokens, 0);
            for (std::size_t n = 0; n < expected["keys"].size(); ++n)
                p[expected["keys"][n].get<std::size_t>()] = expected["p"][n].get<double>();
            const AttentionRow row = makeRow(head, i, source);
            for (std::size_t j = 0; j <= i; ++j) {
                QVERIFY(std::abs(real(row.hybrid[j]) - p[j]) < 1e-5);
                QVERIFY(std::abs(real(tile.value[i * kTile + j]) - p[j]) < 1e-5);
                QVERIFY(std::abs(real(change.value[i * kTile + j]) - (p[j] - real(row.full[j]))) < 1e-5);
                QVERIFY(std::abs(real(makeColumn(head, j, source).hybrid[i - j]) - p[j]) < 1e-5);
            }
        }
    }
}

void tst_Recast::split_partsEveryPairByItsReason_data() {
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("window");
    QTest::addColumn<int>("sinks");
    for (const int tokens : {1, 63, 64, 65, 200, 300})
        for (const int window : {1, 5, 64, 100})
            for (const int sinks : {1, 4, 70})
                QTest::addRow("T=%d W=%d S=%d", tokens, window, sinks) << tokens << window << sinks;
}

void tst_Recast::split_partsEveryPairByItsReason() {
    QFETCH(int, tokens);
    QFETCH(int, window);
    QFETCH(int, sinks);
    ModelShape shape;
    shape.layers = 1;
    shape.heads = 2;
    shape.kvHeads = 1;
    shape.headDim = 4;
    const auto t = static_cast<std::size_t>(tokens);
    const auto policy = std::make_shared<const AttentionPolicy>(streaming(window, sinks));
    for (const std::size_t first : {std::size_t{0}, t / 2}) {
        AttentionPlan plan = makePlan(policy, shape, 0, factsOf(t), nullptr, {first, t}).value();
        const auto parts = splitRecast(plan);
        QCOMPARE(parts.has_value(), !plan.asModel);
        if (!parts)
            continue;
        for (std::size_t i = first; i < t; ++i) {
            std::vector<std::uint32_t> local, always;
            for (const KeptKey& kept : plan.keptKeys(1, i))
                (kept.reason == Reason::Always ? always : local).push_back(kept.key);
            QVERIFY(parts->asMade.heads[1]->keysOf(i) == local);
            QVERIFY(parts->recast.heads[1]->keysOf(i) == always);
        }
        QVERIFY(parts->asMade.heads[0] == parts->asMade.heads[1]); // heads alike stay one task of the kernel
        QVERIFY(parts->recast.pairsComputed() >= parts->recast.pairs());
        QVERIFY(parts->asMade.pairsComputed() >= parts->asMade.pairs());
        QCOMPARE(plan.pairsComputed(), parts->asMade.pairsComputed() + parts->recast.pairsComputed());
        QCOMPARE(plan.pairs(), parts->asMade.pairs() + parts->recast.pairs());
        QVERIFY(plan.heads[0] == plan.heads[1]);
    }
}

void tst_Recast::turn_isARotation() {
    ModelShape shape;
    shape.headDim = 64;
    shape.everyLayer.ropeBase = 10000;
    const std::vector<double> frequencies = ropeFrequencies(shape.everyLayer, 64, {});
    std::vector<float> x(64), at100(64), at7(64), back(64);
    for (std::size_t n = 0; n < 64; ++n)
        x[n] = unitFloat(splitMix64(n)) - 0.5F;
    RopeTurn turn(64);
    turn.apply(x.data(), back.data());
    QVERIFY(back == x); // by nothing
    turn.set(frequencies, 100);
    turn.apply(x.data(), at100.data());
    turn.set(frequencies, 7);
    turn.apply(x.data(), at7.data());
    turn.set(frequencies, -93);
    turn.apply(at100.data(), back.data());
    for (std::size_t n = 0; n < 64; ++n)
        QVERIFY(std::abs(back[n] - at7[n]) < 1e-6F);
    turn.set(frequencies, 0);
    turn.apply(x.data(), back.data());
    QVERIFY(back == x);
}

void tst_Recast::fullWindow_recastsNothing() {
    RecastCase g;
    g.policy = streaming(static_cast<std::int64_t>(g.tokens), 3);
    const std::vector<float> full = fullLseOf(g);
    const Run run = runRows(g, {0, g.tokens}, defaultIsa());
    QVERIFY(run.layer.plan.asModel);
    QVERIFY(recastOf(run.layer.plan) == Recast::None);
    QVERIFY(run.lse == full);
}

QTEST_APPLESS_MAIN(tst_Recast)
#include "tst_Recast.moc"
