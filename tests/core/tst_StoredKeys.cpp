// The cold tier of 8-bit directions, against an independent script and against the definition.
#include "core/engine/LayerRun.h"
#include "core/measure/AttentionColumn.h"
#include "core/measure/Cost.h"
#include "core/measure/MapTile.h"
#include "core/model/Direction8.h"
#include "core/plan/Recast.h"
#include "core/route/Router.h"
#include "tests/support/RandomLayer.h"
#include "tests/support/RecastCase.h"
#include <QTest>

using namespace fovea;
using namespace fovea::test;

namespace {

/// The golden layer of the cold tier under one of the two rules.
struct Stored {
    nlohmann::json doc;
    ModelShape shape;
    Matrix q, k, v;
    AttentionPolicy policy;
    AttentionInput input;
    std::size_t tokens = 0;

    explicit Stored(bool posted) {
        const RecastCase golden;
        doc = golden.doc["stored"];
        shape = golden.shape;
        tokens = doc["tokens"].get<std::size_t>();
        q = matrixOf(doc["q"]);
        k = matrixOf(doc["k"]);
        v = matrixOf(doc["v"]);
        input = {q.view(), k.view(), v.view(), shape.heads, shape.kvHeads, shape.headDim, golden.input.scale};
        policy.local.window = doc["window"].get<int>();
        policy.always.sinks = doc["sinks"].get<int>();
        policy.routed.signal = "stored_dot";
        policy.routed.granularity = Granularity::Page;
        policy.routed.page = doc["page"].get<int>();
        policy.routed.budget = static_cast<double>(2 * policy.routed.page);
        policy.routed.store = Store::Direction8;
        if (posted) {
            policy.routed.budgetKind = BudgetKind::Threshold;
            policy.routed.budget = doc["bar"].get<double>();
            policy.routed.newest = 2;
        }
    }
};

} // namespace

class tst_StoredKeys : public QObject {
    Q_OBJECT
private slots:
    void stored_equalsTheRestatement_data();
    void stored_equalsTheRestatement();
    void stored_rowsAlone_equalTheWholeText();
    void stored_splitsByReasonWhateverElseIsRead();
    void stored_rankingIsTheSameForViews();
    void stored_formIsWithinItsRounding();
    void stored_bytesAreCounted();
};

void tst_StoredKeys::stored_equalsTheRestatement_data() {
    QTest::addColumn<bool>("posted");
    QTest::newRow("the best two pages") << false;
    QTest::newRow("the newest two above the bar") << true;
}

void tst_StoredKeys::stored_equalsTheRestatement() {
    QFETCH(bool, posted);
    const Stored g(posted);
    QVERIFY(validated(g.policy));
    std::vector<float> full(g.tokens * 2);
    Matrix fullO(g.tokens, g.q.cols());
    QVERIFY(attend(modelPlan(g.shape, 0, g.tokens), g.input, {fullO.view(), full}, {}, {}));
    std::size_t promoted = 0;
    for (const Isa isa : availableIsas()) {
        Matrix o(g.tokens, g.q.cols());
        std::vector<float> lse(g.tokens * 2), exactLse(g.tokens * 2);
        const LayerTask task{g.shape,
                             std::make_shared<const AttentionPolicy>(g.policy),
                             factsOf(g.tokens),
                             0,
                             -1,
                             {0, g.tokens},
                             isa};
        const auto done = runLayer(task, g.input, {}, {o.view(), lse}, {}, exactLse);
        QVERIFY2(done, done ? "" : done.error().message.c_str());
        const TileSource source{g.input, full, lse, &done->plan, isa};
        for (int head = 0; head < 2; ++head) {
            const auto h = static_cast<std::size_t>(head);
            const MapTile tile = makeTile({0, head, MapQuantity::Hybrid, Pooling::Max, 0, 0, 0}, source, 1);
            for (std::size_t i = 0; i < g.tokens; ++i) {
                const auto& row = g.doc[posted ? "posted" : "best"][h][i];
                const AttentionRow mine = makeRow(head, i, source);
                double mass = 0, kept = 0;
                const std::vector<KeptKey> keys = done->plan.keptKeys(head, i);
                QCOMPARE(keys.size(), row["keys"].size());
                for (std::size_t n = 0; n < keys.size(); ++n) {
                    const std::uint32_t key = keys[n].key;
                    QCOMPARE(key, row["keys"][n].get<std::uint32_t>());
                    const double p = row["p"][n].get<double>();
                    promoted += keys[n].reason == Reason::Routed ? 1 : 0;
                    QVERIFY(std::abs(real(mine.hybrid[key]) - p) < 1e-5);
                    QVERIFY(std::abs(real(tile.value[i * kTile + key]) - p) < 1e-5);
                    QVERIFY(std::abs(real(makeColumn(head, key, source).hybrid[i - key]) - p) < 1e-5);
                    mass += real(mine.hybrid[key]);
                    kept += real(mine.full[key]);
                }
                QVERIFY(std::abs(mass - 1) < 1e-5);
                QVERIFY(std::abs(std::exp(real(exactLse[i * 2 + h]) - real(full[i * 2 + h])) - kept) < 1e-5);
                QVERIFY(std::abs(real(lse[i * 2 + h]) - row["lse"].get<double>()) < 1e-5);
                for (std::size_t d = 0; d < 6; ++d)
                    QVERIFY(std::abs(real(o.view()(i, h * 6 + d)) - row["o"][d].get<double>()) < 1e-5);
            }
        }
    }
    QVERIFY(promoted > 100);
}

void tst_StoredKeys::stored_splitsByReasonWhateverElseIsRead() {
    AttentionPolicy base;
    base.local.window = 6;
    base.always.sinks = 3;
    base.routed.signal = "stored_dot";
    base.routed.granularity = Granularity::Page;
    base.routed.page = 8;
    base.routed.budget = 24;
    base.routed.store = Store::Direction8;
    std::vector<AttentionPolicy> policies(6, base);
    policies[1].local.chunk = 20;
    policies[1].local.chunkPrevious = 1;
    policies[2].local.dilation = 3;
    policies[3].always.punctuation = true;
    policies[3].always.punctuationCap = 5;
    policies[4].routed = {};
    policies[4].routed.randomBlocks = 2;
    policies[4].routed.page = 8;
    policies[4].routed.store = Store::Direction8;
    policies[5].routed.signal = "head_dot";
    policies[5].routed.granularity = Granularity::Token;
    ModelShape shape;
    shape.layers = 1;
    shape.heads = 2;
    shape.kvHeads = 1;
    shape.headDim = 6;
    for (const std::size_t t : {std::size_t{65}, std::size_t{200}, std::size_t{300}}) {
        Matrix q(t, 12), k(t, 6), v(t, 6);
        std::uint64_t state = t;
        for (Matrix* m : {&q, &k, &v})
            for (std::size_t n = 0; n < m->rows() * m->cols(); ++n)
                m->view().data[n] = unitFloat(state = splitMix64(state)) - 0.5F;
        const auto facts = factsOf(t);
        for (std::size_t n = 0; n < t; n += 7)
            facts->punctuation[n] = 1;
        for (const AttentionPolicy& policy : policies) {
            QVERIFY(validated(policy));
            const auto shared = std::make_shared<const AttentionPolicy>(policy);
            const RouteInput in{0, q.view(), k.view(), v.view(), {}, facts.get()};
            const auto routed =
                std::make_shared<const LayerRouting>(route(policy, shape, in, {0, t}, -1, {}).value());
            AttentionPlan plan = makePlan(shared, shape, 0, facts, routed, {0, t}).value();
            const auto parts = splitRecast(plan);
            QVERIFY(parts.has_value());
            for (int head = 0; head < 2; ++head)
                for (std::size_t i = 0; i < t; ++i) {
                    std::vector<std::uint32_t> asMade, stored;
                    for (const KeptKey& kept : plan.keptKeys(head, i))
                        (kept.reason == Reason::Routed ? stored : asMade).push_back(kept.key);
                    const auto h = static_cast<std::size_t>(head);
                    QVERIFY(parts->asMade.heads[h]->keysOf(i) == asMade);
                    QVERIFY(parts->recast.heads[h]->keysOf(i) == stored);
                }
        }
    }
}

/// A view that routes one row anew, from the model's own keys, gets what the run chose and every page's
/// score.
void tst_StoredKeys::stored_rankingIsTheSameForViews() {
    for (const bool posted : {false, true}) {
        const Stored g(posted);
        Matrix o(g.tokens, g.q.cols());
        const auto facts = factsOf(g.tokens);
        const LayerTask task{
            g.shape,     std::make_shared<const AttentionPolicy>(g.policy), facts, 0, -1, {0, g.tokens},
            defaultIsa()};
        const auto done = runLayer(task, g.input, {}, {o.view(), {}}, {});
        QVERIFY(done);
        const RouteInput in{0, g.q.view(), g.k.view(), g.v.view(), {}, facts.get()};
        const auto again = route(g.policy, g.shape, in, {0, g.tokens}, -1, {});
        QVERIFY(again);
        for (std::size_t unit = 0; unit < again->units.size(); ++unit) {
            const auto &a = again->units[unit].choices->runs,
                       &b = done->plan.routing->units[unit].choices->runs;
            QVERIFY(a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof a[0]) == 0);
        }
        const std::size_t query = g.tokens - 1;
        const auto scores = signalScores(g.policy, g.shape, in, 0, query, {});
        QVERIFY(scores);
        std::size_t known = 0;
        for (const KeptKey& kept : done->plan.keptKeys(0, query))
            QVERIFY(std::isnan((*scores)[kept.key]) == (kept.reason != Reason::Routed));
        for (const float score : *scores)
            known += std::isnan(score) ? 0 : 1;
        std::size_t local = 0;
        for (const KeptKey& kept : done->plan.keptKeys(0, query))
            local += kept.reason != Reason::Routed ? 1 : 0;
        QCOMPARE(known, query + 1 - local); // every candidate, not the newest pages alone
    }
}

void tst_StoredKeys::stored_rowsAlone_equalTheWholeText() {
    const Stored g(false);
    const auto policy = std::make_shared<const AttentionPolicy>(g.policy);
    Matrix whole(g.tokens, g.q.cols());
    QVERIFY(runLayer({g.shape, policy, factsOf(g.tokens), 0, -1, {0, g.tokens}, defaultIsa()}, g.input, {},
                     {whole.view(), {}}, {}));
    // As cached decoding: row after row, what was read back is kept; then from the start again.
    const auto state = std::make_shared<LayerState>();
    for (int pass = 0; pass < 2; ++pass)
        for (std::size_t i = static_cast<std::size_t>(5 * pass); i < g.tokens; ++i) {
            AttentionInput input = g.input;
            input.q = g.q.view().rowRange(0, i + 1);
            input.k = g.k.view().rowRange(0, i + 1);
            input.v = g.v.view().rowRange(0, i + 1);
            Matrix o(i + 1, g.q.cols());
            LayerTask task{g.shape, policy, factsOf(i + 1), 0, -1, {i, i + 1}, defaultIsa()};
            task.state = state;
            QVERIFY(runLayer(task, input, {}, {o.view(), {}}, {}));
            for (std::size_t n = 0; n < g.q.cols(); ++n)
                QVERIFY(std::abs(o.view()(i, n) - whole.view()(i, n)) < 1e-6F);
        }
}

void tst_StoredKeys::stored_formIsWithinItsRounding() {
    const Stored g(false);
    const Matrix expected = matrixOf(g.doc["k_back"]);
    Matrix back(g.tokens, g.k.cols());
    direction8::readBackRows(g.k.view(), 6, 0, g.tokens, back.view(), 2);
    for (std::size_t j = 0; j < g.tokens; ++j) {
        double squares = 0;
        for (std::size_t d = 0; d < 6; ++d)
            squares += real(g.k.view()(j, d)) * real(g.k.view()(j, d));
        for (std::size_t d = 0; d < 6; ++d) {
            QVERIFY(std::abs(back.view()(j, d) - expected.view()(j, d)) < 1e-6F);
            QVERIFY(std::abs(real(back.view()(j, d) - g.k.view()(j, d))) <= std::sqrt(squares) / 254 + 1e-6);
        }
    }
    const std::vector<float> zero(4, 0.0F), loose{1, std::numeric_limits<float>::infinity(), 0, 0};
    std::vector<float> to(4, 7.0F);
    direction8::readBack(zero.data(), 4, to.data());
    QVERIFY(to == zero);
    direction8::readBack(loose.data(), 4, to.data());
    QVERIFY(std::isnan(to[0]));
}

void tst_StoredKeys::stored_bytesAreCounted() {
    const Stored g(false);
    ModelShape shape = g.shape;
    shape.layers = 3;
    const TierBytes bytes = tierBytes(shape, g.policy, 100);
    const std::uint64_t exact = 8 + 2; // window and sinks
    QCOMPARE(bytes.exact, std::uint64_t{3 * 2 * 6 * 4} * exact);
    QCOMPARE(bytes.cold, std::uint64_t{3 * 2 * (6 + 4)} * (100 - exact));
    QCOMPARE(bytes.f32, std::uint64_t{3 * 2 * 6 * 4 * 100});
    ArmCost arm;
    countArm(arm, shape, g.policy, 100);
    QCOMPARE(arm.kvBytes, bytes.exact + bytes.cold);
    AttentionPolicy plain = g.policy;
    plain.routed.store = Store::All;
    countArm(arm, shape, plain, 100);
    QCOMPARE(arm.kvBytes, bytes.f32);
}

QTEST_APPLESS_MAIN(tst_StoredKeys)
#include "tst_StoredKeys.moc"
