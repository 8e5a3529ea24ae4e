// Keys read otherwise than the model made them, against independent scripts and against the definition.
#include "core/engine/LayerRun.h"
#include "core/kernels/RecastForm.h"
#include "core/measure/AttentionColumn.h"
#include "core/measure/Cost.h"
#include "core/measure/MapTile.h"
#include "core/model/Direction8.h"
#include "core/model/KvCache.h"
#include "core/model/Rope.h"
#include "core/plan/Recast.h"
#include "tests/support/RandomLayer.h"
#include <QFile>
#include <QTest>
#include <nlohmann/json.hpp>

using namespace fovea;

namespace {

double real(float x) {
    return static_cast<double>(x);
}

std::shared_ptr<TokenFacts> factsOf(std::size_t tokens) {
    auto facts = std::make_shared<TokenFacts>();
    facts->tokens = tokens;
    facts->special.assign(tokens, 0);
    facts->punctuation.assign(tokens, 0);
    return facts;
}

AttentionPolicy streaming(std::int64_t window, std::int64_t sinks) {
    AttentionPolicy policy;
    policy.local.window = window;
    policy.always.sinks = sinks;
    policy.mix.positions = Positions::Cache;
    return policy;
}

Matrix matrixOf(const nlohmann::json& rows) {
    Matrix m(rows.size(), rows[0].size());
    for (std::size_t r = 0; r < m.rows(); ++r)
        for (std::size_t c = 0; c < m.cols(); ++c)
            m.view()(r, c) = rows[r][c].get<float>();
    return m;
}

/// The golden layer: two heads, each with its own window and sinks.
struct Golden {
    nlohmann::json doc;
    ModelShape shape;
    std::vector<double> frequencies;
    Matrix q, k, v;
    AttentionPolicy policy;
    AttentionInput input;
    std::size_t tokens = 0;

    Golden() {
        QFile file(FOVEA_SOURCE_DIR "/tests/golden/recast.json");
        if (!file.open(QIODevice::ReadOnly))
            qFatal("recast.json is missing");
        doc = nlohmann::json::parse(file.readAll().toStdString());
        tokens = doc["tokens"].get<std::size_t>();
        shape.layers = 1;
        shape.heads = doc["heads"].get<int>();
        shape.kvHeads = doc["kv_heads"].get<int>();
        shape.headDim = doc["head_dim"].get<int>();
        frequencies = doc["frequencies"].get<std::vector<double>>();
        q = matrixOf(doc["q_rotated"]);
        k = matrixOf(doc["k_rotated"]);
        v = matrixOf(doc["v"]);
        input = {q.view(), k.view(), v.view(), shape.heads, shape.kvHeads, shape.headDim, doc["scale"].get<float>(), 0,
                 frequencies};
        policy = streaming(doc["windows"][0].get<int>(), doc["sinks"][0].get<int>());
        policy.headPolicies = {{"other", streaming(doc["windows"][1].get<int>(), doc["sinks"][1].get<int>())}};
        policy.mix.heads = {{"", "other"}};
    }
    [[nodiscard]] const nlohmann::json& row(std::size_t head, std::size_t query) const {
        return doc["streaming"][head][query];
    }
};

/// The golden layer of the cold tier under one of the two rules.
struct Stored {
    nlohmann::json doc;
    ModelShape shape;
    Matrix q, k, v;
    AttentionPolicy policy;
    AttentionInput input;
    std::size_t tokens = 0;

    explicit Stored(bool posted) {
        const Golden golden;
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

struct Run {
    Matrix o;
    std::vector<float> lse, exactLse;
    HybridLayer layer;
};

Run runRows(const Golden& g, RowRange rows, Isa isa, int head = -1) {
    Run run{Matrix(g.tokens, g.q.cols()), std::vector<float>(g.tokens * 2), std::vector<float>(g.tokens * 2), {}};
    const LayerTask task{g.shape, std::make_shared<const AttentionPolicy>(g.policy), factsOf(g.tokens), 0, head, rows, isa};
    Result<HybridLayer> done = runLayer(task, g.input, {}, {run.o.view(), run.lse}, {}, run.exactLse);
    if (!done)
        qFatal("%s", done.error().message.c_str());
    run.layer = std::move(*done);
    return run;
}

std::vector<float> fullLseOf(const Golden& g) {
    std::vector<float> lse(g.tokens * 2);
    Matrix o(g.tokens, g.q.cols());
    if (!attend(fullPlan(g.shape, 0, g.tokens), g.input, {o.view(), lse}, {}, {}))
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
    void stored_equalsTheRestatement_data();
    void stored_equalsTheRestatement();
    void stored_rowsAlone_equalTheWholeText();
    void stored_splitsByReasonWhateverElseIsRead();
    void stored_rankingIsTheSameForViews();
    void stored_formIsWithinItsRounding();
    void stored_bytesAreCounted();
};

void tst_Recast::streaming_equalsTheRestatement() {
    const Golden g;
    for (const Isa isa : availableIsas()) {
        const Run run = runRows(g, {0, g.tokens}, isa);
        for (std::size_t h = 0; h < 2; ++h)
            for (std::size_t i = 0; i < g.tokens; ++i) {
                const auto& row = g.row(h, i);
                QVERIFY(std::abs(real(run.lse[i * 2 + h]) - row["lse"].get<double>()) < 1e-5);
                for (std::size_t d = 0; d < 6; ++d)
                    QVERIFY2(std::abs(real(run.o.view()(i, h * 6 + d)) - row["o"][d].get<double>()) < 1e-5,
                             qPrintable(QString("head %1 row %2").arg(h).arg(i)));
            }
    }
}

void tst_Recast::streaming_differsFromOriginalPositions() {
    Golden g;
    const Run moved = runRows(g, {0, g.tokens}, defaultIsa());
    g.policy.mix.positions = Positions::Original;
    const Run original = runRows(g, {0, g.tokens}, defaultIsa());
    for (std::size_t h = 0; h < 2; ++h) {
        const std::size_t ranksAre = g.doc["windows"][h].get<std::size_t>() + g.doc["sinks"][h].get<std::size_t>();
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
    const Golden g;
    const std::vector<float> full = fullLseOf(g);
    const Run run = runRows(g, {0, g.tokens}, defaultIsa());
    for (std::size_t h = 0; h < 2; ++h)
        for (std::size_t i = 0; i < g.tokens; ++i)
            QVERIFY(std::abs(std::exp(real(run.exactLse[i * 2 + h]) - real(full[i * 2 + h])) -
                             g.row(h, i)["kept_mass"].get<double>()) < 1e-5);
}

void tst_Recast::rowsAlone_equalTheWholeText() {
    const Golden g;
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
    Golden g;
    g.policy = streaming(5, 3); // heads that differ keep everything
    const Run whole = runRows(g, {0, g.tokens}, defaultIsa());
    const KvRetention retention = retentionOf(g.policy, 0);
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
        const LayerTask task{g.shape, std::make_shared<const AttentionPolicy>(g.policy), factsOf(i + 1), 0, -1, {i, i + 1},
                             defaultIsa(), Precision::F32, nullptr, {}, &cache.keyRows()};
        QVERIFY(runLayer(task, input, {}, {{o.data(), i + 1, 12, 0}, {}}, {}));
        for (std::size_t n = 0; n < 12; ++n)
            QVERIFY(std::abs(o[n] - whole.o.view()(i, n)) < 1e-6F);
    }
}

void tst_Recast::views_showTheReadProbability() {
    const Golden g;
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
        QCOMPARE(parts.has_value(), !plan.full);
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
    shape.ropeBase = 10000;
    const std::vector<double> frequencies = ropeFrequencies(shape, {});
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
    Golden g;
    g.policy = streaming(static_cast<std::int64_t>(g.tokens), 3);
    const std::vector<float> full = fullLseOf(g);
    const Run run = runRows(g, {0, g.tokens}, defaultIsa());
    QVERIFY(run.layer.plan.full);
    QVERIFY(recastOf(run.layer.plan) == Recast::None);
    QVERIFY(run.lse == full);
}

void tst_Recast::stored_equalsTheRestatement_data() {
    QTest::addColumn<bool>("posted");
    QTest::newRow("the best two pages") << false;
    QTest::newRow("the newest two above the bar") << true;
}

void tst_Recast::stored_equalsTheRestatement() {
    QFETCH(bool, posted);
    const Stored g(posted);
    QVERIFY(validated(g.policy));
    std::vector<float> full(g.tokens * 2);
    Matrix fullO(g.tokens, g.q.cols());
    QVERIFY(attend(fullPlan(g.shape, 0, g.tokens), g.input, {fullO.view(), full}, {}, {}));
    std::size_t promoted = 0;
    for (const Isa isa : availableIsas()) {
        Matrix o(g.tokens, g.q.cols());
        std::vector<float> lse(g.tokens * 2), exactLse(g.tokens * 2);
        const LayerTask task{g.shape, std::make_shared<const AttentionPolicy>(g.policy), factsOf(g.tokens), 0, -1,
                             {0, g.tokens}, isa};
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

void tst_Recast::stored_splitsByReasonWhateverElseIsRead() {
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
            const auto routed = std::make_shared<const LayerRouting>(route(policy, shape, in, {0, t}, -1, {}).value());
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

/// A view that routes one row anew, from the model's own keys, gets what the run chose and every page's score.
void tst_Recast::stored_rankingIsTheSameForViews() {
    for (const bool posted : {false, true}) {
        const Stored g(posted);
        Matrix o(g.tokens, g.q.cols());
        const auto facts = factsOf(g.tokens);
        const LayerTask task{g.shape, std::make_shared<const AttentionPolicy>(g.policy), facts, 0, -1, {0, g.tokens},
                             defaultIsa()};
        const auto done = runLayer(task, g.input, {}, {o.view(), {}}, {});
        QVERIFY(done);
        const RouteInput in{0, g.q.view(), g.k.view(), g.v.view(), {}, facts.get()};
        const auto again = route(g.policy, g.shape, in, {0, g.tokens}, -1, {});
        QVERIFY(again);
        for (std::size_t unit = 0; unit < again->units.size(); ++unit) {
            QVERIFY(again->units[unit]->keys == done->plan.routing->units[unit]->keys);
            QVERIFY(again->units[unit]->scores == done->plan.routing->units[unit]->scores);
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

void tst_Recast::stored_rowsAlone_equalTheWholeText() {
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

void tst_Recast::stored_formIsWithinItsRounding() {
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

void tst_Recast::stored_bytesAreCounted() {
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

QTEST_APPLESS_MAIN(tst_Recast)
#include "tst_Recast.moc"
