// Policies over layers with a native window: what they read, what it costs, the gates.
#include "core/engine/Decode.h"
#include "core/engine/FullArm.h"
#include "core/engine/Gates.h"
#include "core/engine/HybridArm.h"
#include "core/engine/Isolated.h"
#include "core/engine/LayerRun.h"
#include "core/engine/OpenedModel.h"
#include "core/engine/PairCounts.h"
#include "core/engine/RetrievalHeads.h"
#include "core/engine/SameResult.h"
#include "core/engine/TextStage.h"
#include "core/files/Sha256.h"
#include "core/measure/AttentionColumn.h"
#include "core/measure/BlockFacts.h"
#include "core/measure/PairFacts.h"
#include "core/measure/TokenReport.h"
#include "core/measure/TokenValues.h"
#include "core/model/Forward.h"
#include "core/plan/StoredKeys.h"
#include "core/policy/SignalSpec.h"
#include "core/route/PolicyFits.h"
#include "core/route/Router.h"
#include "tests/support/HybridByBirth.h"
#include <QTest>
#include <cmath>

using namespace fovea;
using namespace fovea::test;

namespace {

std::vector<Named> fixedPolicies() {
    std::vector<Named> all;
    const auto add = [&](const char* name, auto&& change) {
        AttentionPolicy policy = narrow();
        change(policy);
        all.push_back({name, policy});
    };
    add("window and sinks", [](AttentionPolicy&) {});
    add("full", [](AttentionPolicy& p) { p = {}; });
    add("window as wide as the native one", [](AttentionPolicy& p) { p.local.window = kWindow; });
    add("window wider than the native one", [](AttentionPolicy& p) { p.local.window = 20; });
    add("dilated", [](AttentionPolicy& p) { p.local.dilation = 3; });
    add("dilated and wide", [](AttentionPolicy& p) {
        p.local.window = 40;
        p.local.dilation = 2;
    });
    add("chunks", [](AttentionPolicy& p) {
        p.local.window = 0;
        p.local.chunk = 11;
        p.local.chunkPrevious = 1;
    });
    add("nothing but itself", [](AttentionPolicy& p) {
        p.local.window = 0;
        p.always.sinks = 0;
    });
    add("pinned", [](AttentionPolicy& p) {
        p.always.pinned = {{5, 7, Role::Keys}, {30, 31, Role::Queries}, {40, 40, Role::Both}};
    });
    add("every second layer full", [](AttentionPolicy& p) { p.mix.fullEvery = 2; });
    return all;
}

std::vector<Named> routedPolicies() {
    std::vector<Named> all;
    const auto add = [&](const char* name, AttentionPolicy policy, auto&& change) {
        change(policy);
        all.push_back({name, policy});
    };
    const auto asIs = [](AttentionPolicy&) {};
    for (const char* signal :
         {"group_dot", "head_dot", "oracle", "random", "key_norm", "indexer", "key_distinct", "position",
          "lsh", "centroid", "accumulated", "last_row", "value_attention"})
        add(signal, routedBy(signal), asIs);
    for (const char* signal : {"head_dot", "group_dot", "indexer", "oracle"})
        add("top_p", routedBy(signal, 0.6),
            [](AttentionPolicy& p) { p.routed.budgetKind = BudgetKind::TopP; });
    add("oracle of the layer", routedBy("oracle"),
        [](AttentionPolicy& p) { p.routed.sharing = Sharing::Layer; });
    add("head_dot of the layer, top_p", routedBy("head_dot", 0.5), [](AttentionPolicy& p) {
        p.routed.sharing = Sharing::Layer;
        p.routed.budgetKind = BudgetKind::TopP;
    });
    add("one set by key_norm", routedBy("key_norm"),
        [](AttentionPolicy& p) { p.routed.choice = Choice::Sequence; });
    add("one set by head_dot", routedBy("head_dot"), [](AttentionPolicy& p) {
        p.routed.choice = Choice::Sequence;
        p.routed.scope = Scope::Sequence;
    });
    add("received", routedBy("received"), asIs);
    for (const char* signal : {"page_mean", "page_bound", "stored_dot", "head_dot"})
        add("pages", paged(signal, BudgetKind::Count, 4), asIs);
    for (const char* signal : {"page_mean", "page_bound", "head_dot"})
        add("pages by mass", paged(signal, BudgetKind::TopP, 0.7), asIs);
    for (const char* signal : {"block_pool", "antidiagonal"})
        add("blocks", paged(signal, BudgetKind::TopP, 0.7), [](AttentionPolicy& p) {
            p.routed.granularity = Granularity::Block;
            p.routed.queryBlock = 4;
            p.routed.stride = 2;
            p.local.window = 1;
            p.always.sinks = 0;
        });
    for (const char* signal : {"recent_window", "vertical_slash", "flexprefill"})
        add("prompt", routedBy(signal), [](AttentionPolicy& p) {
            p.routed.observe = 6;
            p.routed.diagonals = 3;
            p.routed.page = 4;
        });
    add("h2o", routedBy("accumulated"), [](AttentionPolicy& p) { p.routed.store = Store::Evict; });
    add("after the prompt", routedBy("head_dot"), [](AttentionPolicy& p) { p.routed.phase = Phase::Decode; });
    add("random blocks", narrow(), [](AttentionPolicy& p) {
        p.routed.randomBlocks = 2;
        p.routed.page = 3;
    });
    add("8-bit directions", routedBy("stored_dot"), [](AttentionPolicy& p) {
        p.routed.granularity = Granularity::Page;
        p.routed.page = 2;
        p.routed.store = Store::Direction8;
    });
    add("budgets by entropy", routedBy("head_dot"), [](AttentionPolicy& p) {
        p.mix.dynamic = Dynamic::Entropy;
        p.mix.probeEvery = 8;
    });
    for (const char* signal : {"query_peak", "query_sparsity", "row_entropy", "local_deficit"})
        add(signal, routedBy(signal, 0.2), [](AttentionPolicy& p) {
            p.routed.role = Role::Queries;
            p.routed.budgetKind = BudgetKind::Fraction;
        });
    add("mean of values", routedBy("row_entropy", 0.3), [](AttentionPolicy& p) {
        p.routed.role = Role::Queries;
        p.routed.budgetKind = BudgetKind::Fraction;
        p.routed.unrouted = Unrouted::Mean;
    });
    add("skipped tokens", routedBy("rarity", 0.3), [](AttentionPolicy& p) {
        p.routed.role = Role::Queries;
        p.routed.budgetKind = BudgetKind::Fraction;
        p.routed.unrouted = Unrouted::Skip;
    });
    return all;
}

std::vector<Named> farPolicies() {
    std::vector<Named> all;
    AttentionPolicy summaries = routedBy("head_dot", 2);
    summaries.far.far = Far::Summaries;
    summaries.far.m = 3;
    all.push_back({"summaries", summaries});
    summaries.far.top = 2;
    all.push_back({"best summaries", summaries});
    AttentionPolicy cache = narrow();
    cache.mix.positions = Positions::Cache;
    all.push_back({"positions of the cache", cache});
    AttentionPolicy sink = narrow();
    sink.always.sinkLogit = 1.5;
    all.push_back({"sink logit", sink});
    AttentionPolicy recurrent = narrow();
    recurrent.far.far = Far::Recurrent;
    recurrent.combine.combine = Combine::Gated;
    all.push_back({"recurrent", recurrent});
    return all;
}

std::vector<Named> everyPolicy() {
    std::vector<Named> all = fixedPolicies();
    for (const auto& more : {routedPolicies(), farPolicies()})
        all.insert(all.end(), more.begin(), more.end());
    return all;
}

void addPolicies(const std::vector<Named>& policies) {
    QTest::addColumn<AttentionPolicy>("policy");
    for (const Named& named : policies)
        QTest::addRow("%s %s", named.name, named.policy.summary().c_str()) << named.policy;
}

} // namespace

class tst_NativePolicies : public QObject, private HybridByBirth {
    Q_OBJECT
private slots:
    void initTestCase() { QVERIFY(make()); }
    void fixedKeys_areIntersected_data();
    void fixedKeys_areIntersected();
    void routedKeys_areCandidatesInside_data();
    void routedKeys_areCandidatesInside();
    void massBudget_isOfTheMassInside();
    void counts_areThoseOfTheKeys_data();
    void counts_areThoseOfTheKeys();
    void readingEverything_givesTheModelsBits_data();
    void readingEverything_givesTheModelsBits();
    void gates_hold_data();
    void gates_hold();
};

Q_DECLARE_METATYPE(fovea::AttentionPolicy)

void tst_NativePolicies::fixedKeys_areIntersected_data() {
    addPolicies(fixedPolicies());
}

void tst_NativePolicies::fixedKeys_areIntersected() {
    QFETCH(AttentionPolicy, policy);
    const auto shared = std::make_shared<const AttentionPolicy>(policy);
    const ModelShape opened = withoutNativeWindows(shape());
    for (const RowRange rows : {RowRange{0, tokens()}, RowRange{41, 42}})
        for (int layer = 0; layer < kLayers; ++layer) {
            const auto plan = makePlan(shared, shape(), layer, m_snapshot->facts, nullptr, rows);
            const auto global = makePlan(shared, opened, layer, m_snapshot->facts, nullptr, rows);
            QVERIFY(plan && global);
            const Sets mine = keysOf(*plan, 0, tokens()), all = keysOf(*global, 0, tokens());
            for (std::size_t query = rows.first; query < rows.last; ++query) {
                std::set<std::uint32_t> expected;
                for (const std::uint32_t key : all[query])
                    if (lets(layer, query, key))
                        expected.insert(key);
                QVERIFY(!expected.empty()); // a query always reads itself
                if (!(mine[query] == expected))
                    QFAIL(qPrintable(QString("layer %1 query %2").arg(layer).arg(query)));
            }
        }
}

void tst_NativePolicies::routedKeys_areCandidatesInside_data() {
    addPolicies(routedPolicies());
}

void tst_NativePolicies::routedKeys_areCandidatesInside() {
    QFETCH(AttentionPolicy, policy);
    for (int layer : {0, 1}) {
        const Result<VisibleLayer> done = runVisible(*m_snapshot, policy, layer, -1, {0, tokens()}, {});
        QVERIFY2(done, done ? "" : done.error().message.c_str());
        const AttentionPlan& plan = *done->plan;
        for (int head = 0; head < shape().heads; ++head)
            for (std::size_t query = 0; query < tokens(); ++query) {
                std::size_t routed = 0, open = 0;
                std::set<std::uint32_t> read;
                for (const KeptKey& kept : plan.keptKeys(head, query)) {
                    QVERIFY(lets(layer, query, kept.key));
                    QVERIFY(read.insert(kept.key).second);
                    routed += kept.reason == Reason::Routed ? 1U : 0U;
                }
                for (std::size_t key = 0; key <= query; ++key)
                    open += lets(layer, query, key) && query - key >= 4 && key >= 2 ? 1U : 0U;
                // Signals that give every key a score use up a count, as far as there are candidates.
                const bool counts = policy.routed.budgetKind == BudgetKind::Count &&
                                    policy.routed.granularity == Granularity::Token &&
                                    policy.routed.choice == Choice::Query &&
                                    policy.routed.phase == Phase::All && policy.routed.store == Store::All &&
                                    policy.routed.role == Role::Keys && policy.mix.dynamic == Dynamic::None &&
                                    policy.routed.randomBlocks == 0 &&
                                    offersOf(policy.routed.signal) == Offers::Tokens;
                if (counts)
                    QCOMPARE(routed, std::min<std::size_t>(3, open));
            }
        if (const RoutedChoices* choices = plan.choicesOf(0))
            for (std::size_t query = 0; query < tokens(); ++query)
                for (const std::uint32_t key : choices->row(query))
                    QVERIFY(lets(layer, query, key));
    }
}

/// A mass budget weighs the keys that the layer lets a row read, and no others: in a capped layer every other
/// key would count for e^-cap at least.
void tst_NativePolicies::massBudget_isOfTheMassInside() {
    AttentionPolicy policy;
    policy.local.window = 2;
    policy.routed.signal = "head_dot";
    policy.routed.budgetKind = BudgetKind::TopP;
    policy.routed.budget = 0.9;
    std::size_t rows = 0;
    for (int layer = 0; layer < kLayers; ++layer) {
        if (!isLocal(layer))
            continue;
        const SnapshotPtr s = withVisible(policy, layer);
        const LayerActivations& a = *s->full->layers[static_cast<std::size_t>(layer)];
        const Sets kept = keysOf(*s->visible->plan, 1, tokens());
        for (std::size_t query = 20; query < tokens(); ++query) {
            const PlainRow row = plainRow(shape(), layer, a, 1, query);
            double mass = 0, least = 1;
            for (const std::uint32_t key : kept[query]) {
                mass += row.weight[key];
                if (query - key >= 2)
                    least = std::min(least, row.weight[key]);
            }
            QVERIFY2(mass > 0.87, qPrintable(QString("query %1: %2").arg(query).arg(mass)));
            if (least < 1) { // without its last key the row would have too little
                ++rows;
                QVERIFY2(mass - least < 0.93, qPrintable(QString("query %1: %2").arg(query).arg(mass)));
            }
        }
    }
    QVERIFY(rows > 20);
}

void tst_NativePolicies::counts_areThoseOfTheKeys_data() {
    addPolicies(everyPolicy());
}

void tst_NativePolicies::counts_areThoseOfTheKeys() {
    QFETCH(AttentionPolicy, policy);
    std::uint64_t full = 0, hybrid = 0;
    for (int layer = 0; layer < kLayers; ++layer) {
        const SnapshotPtr s = withVisible(policy, layer);
        const AttentionPlan& plan = *s->visible->plan;
        std::uint64_t pairs = 0;
        for (int head = 0; head < shape().heads; ++head)
            for (const auto& keys : keysOf(plan, head, tokens()))
                pairs += keys.size();
        QCOMPARE(plan.pairs(), pairs);
        QVERIFY(plan.pairs() <= modelPairsOf(layer) * static_cast<std::uint64_t>(shape().heads));
        const std::optional<PairCounts> counts = countPairs(*s);
        QVERIFY(counts);
        QCOMPARE(counts->fullPairs, modelPairsOf(layer) * static_cast<std::uint64_t>(shape().heads));
        full += counts->fullPairs;
        hybrid += pairs + s->visible->far.entries;
        // The router's own work: never more than a score of what the model lets a query read, for these.
        if (policy.routed.signal == "head_dot" && policy.routed.granularity == Granularity::Token &&
            policy.routed.choice == Choice::Query && policy.mix.dynamic == Dynamic::None && plan.routing)
            QVERIFY(plan.routing->macs <= modelPairsOf(layer) * 2 * 16);
    }
    const Result<IsolatedResult> isolated = runIsolated(*m_snapshot, policy, nullptr, {}, {});
    QVERIFY(isolated);
    QCOMPARE(isolated->cost.full.pairs, full);
    QCOMPARE(isolated->cost.hybrid.pairs, hybrid);
    QVERIFY(std::abs(isolated->cost.density - static_cast<double>(hybrid) / static_cast<double>(full)) <
            1e-12);
    QVERIFY(!isolated->cost.breakEvenTokens); // the formula is for one kind of layer
}

void tst_NativePolicies::readingEverything_givesTheModelsBits_data() {
    QTest::addColumn<AttentionPolicy>("policy");
    AttentionPolicy wide, named, heads;
    wide.local.window = 1000;
    named = narrow();
    named.mix.fullEvery = 1;
    heads = narrow();
    heads.mix.layers = {"full", "full", "full", "full"};
    QTest::newRow("full") << AttentionPolicy();
    QTest::newRow("window of the text") << wide;
    QTest::newRow("every layer kept") << named;
    QTest::newRow("layers by name") << heads;
}

void tst_NativePolicies::readingEverything_givesTheModelsBits() {
    QFETCH(AttentionPolicy, policy);
    const Result<PropagatedResult> run = runPropagated(*m_snapshot, policy, {});
    QVERIFY(run);
    QVERIFY(sameBits(run->hidden->view(), m_snapshot->full->hidden->view()));
    QCOMPARE(run->cost.density, 1.0);
    QCOMPARE(run->fidelity.nextTokenKl, 0.0);
    // A narrower policy is another model in the global layers only where its window is the native one.
    AttentionPolicy same;
    same.local.window = kWindow;
    for (int layer = 0; layer < kLayers; ++layer) {
        Matrix o;
        QVERIFY(runVisible(*m_snapshot, same, layer, -1, {0, tokens()}, {}, &o));
        QCOMPARE(sameBits(o.view(), m_snapshot->full->layers[static_cast<std::size_t>(layer)]->o.view()),
                 isLocal(layer));
    }
}

void tst_NativePolicies::gates_hold_data() {
    addPolicies(everyPolicy());
}

void tst_NativePolicies::gates_hold() {
    QFETCH(AttentionPolicy, policy);
    const auto gates = checkGates(*m_snapshot, policy, 0, {}, nullptr, false);
    QVERIFY2(gates, gates ? "" : gates.error().message.c_str());
    for (const GateResult& gate : *gates)
        QVERIFY2(!gate.ok || *gate.ok, (std::to_string(gate.gate) + " " + gate.detail).c_str());
    QCOMPARE((*gates)[0].ok, std::optional(true));
    QVERIFY((*gates)[0].detail.find("native windows") != std::string::npos);
}

QTEST_APPLESS_MAIN(tst_NativePolicies)
#include "tst_NativePolicies.moc"
