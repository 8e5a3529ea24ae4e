// Models that are hybrid by birth: the full arm, its pictures and views, cached decoding, far fields,
// refusals.
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

class tst_NativeLayers : public QObject, private HybridByBirth {
    Q_OBJECT
private slots:
    void initTestCase() { QVERIFY(make()); }
    void fullArm_isTheModelAsTrained();
    void pictures_areTheWeights();
    void views_sayWhatIsOutside();
    void cache_holdsTheWindow();
    void summaries_standForKeysInside();
    void runningStates_areForGlobalLayers();
    void linearState_isRefusedBesideACap();
    void movedPositions_needARotation();
    void signals_weighInsideTheWindow();
    void openedUp_isALabelledChange();
};

void tst_NativeLayers::fullArm_isTheModelAsTrained() {
    double bitten = 0; // how much the cap changes a logit
    std::uint64_t pairs = 0, bytes = 0;
    for (int layer = 0; layer < kLayers; ++layer) {
        const LayerActivations& a = *m_snapshot->full->layers[static_cast<std::size_t>(layer)];
        for (int head = 0; head < shape().heads; ++head)
            for (std::size_t query = 0; query < tokens(); ++query) {
                const PlainRow row = plainRow(shape(), layer, a, head, query);
                const float lse =
                    a.lse[query * static_cast<std::size_t>(shape().heads) + static_cast<std::size_t>(head)];
                if (!(std::abs(static_cast<double>(lse) - row.lse) < 1e-5))
                    QFAIL(qPrintable(QString::number(layer)));
                for (std::size_t d = 0; d < row.o.size(); ++d)
                    QVERIFY(std::abs(static_cast<double>(a.o.view()(
                                         query, static_cast<std::size_t>(head) * row.o.size() + d)) -
                                     row.o[d]) < 1e-5);
            }
        const AttentionInput in = m_snapshot->attentionInput(layer);
        AttentionInput plain = in;
        plain.softCap = 0;
        Matrix capped(tokens(), tokens()), free(tokens(), tokens());
        logitTile(in, 0, 0, 0, capped.view(), Isa::Portable);
        logitTile(plain, 0, 0, 0, free.view(), Isa::Portable);
        for (std::size_t i = 0; i < tokens(); ++i)
            for (std::size_t j = 0; j < tokens(); ++j)
                bitten =
                    std::max(bitten, static_cast<double>(std::abs(capped.view()(i, j) - free.view()(i, j))));
        pairs += modelPairsOf(layer) * static_cast<std::uint64_t>(shape().heads);
        bytes += 2 * 16 * 4 * (isLocal(layer) ? kWindow : tokens());
    }
    QVERIFY2(bitten > 0.5, qPrintable(QString::number(bitten))); // else nothing was tested
    QCOMPARE(m_snapshot->full->cost.pairs, pairs);
    QCOMPARE(m_snapshot->full->cost.kvBytes, bytes);
}

void tst_NativeLayers::pictures_areTheWeights() {
    for (int layer = 0; layer < kLayers; ++layer) {
        const LayerActivations& a = *m_snapshot->full->layers[static_cast<std::size_t>(layer)];
        for (std::size_t cell : {std::size_t{1}, std::size_t{2}, std::size_t{16}, std::size_t{64}}) {
            // The kernel's own pooling, for each instruction set and in bf16 words.
            for (const Isa isa : availableIsas())
                for (const bool bf16 : {false, true}) {
                    AttentionCells cells =
                        makeCells(shape().heads, tokens(), cell, isLocal(layer) ? kWindow : 0);
                    Matrix o(tokens(), a.o.cols());
                    std::vector<float> lse(a.lse.size());
                    const AttentionOptions options{isa, -1, bf16 ? Precision::BF16 : Precision::F32, bf16};
                    QVERIFY(attend(modelPlan(shape(), layer, tokens()), m_snapshot->attentionInput(layer),
                                   {o.view(), lse, &cells}, options, {}));
                    const double allowed = bf16 ? 0.05 : 1e-5;
                    for (int head = 0; head < shape().heads; ++head) {
                        std::vector<double> mass(cells.count * cells.count), top(mass.size());
                        for (std::size_t query = 0; query < tokens(); ++query) {
                            const PlainRow row = plainRow(shape(), layer, a, head, query);
                            const std::size_t first = query / cell * cell;
                            const double queries =
                                static_cast<double>(std::min(first + cell, tokens()) - first);
                            for (std::size_t key = 0; key <= query; ++key) {
                                const std::size_t at = query / cell * cells.count + key / cell;
                                mass[at] += row.weight[key] / queries;
                                top[at] = std::max(top[at], row.weight[key]);
                            }
                        }
                        for (std::size_t at = 0; at < mass.size(); ++at) {
                            const std::size_t to = static_cast<std::size_t>(head) * mass.size() + at;
                            QVERIFY(std::abs(static_cast<double>(cells.mass[to]) - mass[at]) < allowed);
                            QVERIFY(std::abs(static_cast<double>(cells.top[to]) - top[at]) < allowed);
                        }
                    }
                }
        }
    }
}

void tst_NativeLayers::views_sayWhatIsOutside() {
    const AttentionPolicy policy = routedBy("head_dot", 2);
    for (int layer : {0, 1})
        for (const bool asModel : {false, true}) {
            const SnapshotPtr s = withVisible(asModel ? AttentionPolicy() : policy, layer);
            const TileSource source = *s->tileSource(layer);
            const LayerActivations& a = *s->full->layers[static_cast<std::size_t>(layer)];
            TileKey key;
            key.layer = layer;
            key.head = 1;
            const MapTile full = makeTile(key, source, 1);
            key.quantity = MapQuantity::Hybrid;
            const MapTile hybrid = makeTile(key, source, 1);
            key.quantity = MapQuantity::Kept;
            key.level = 2;
            const MapTile kept = makeTile(key, source, 1);
            std::vector<double> read(kTile * kTile), computed(kTile * kTile);
            for (std::size_t query = 0; query < tokens(); ++query) {
                const PlainRow plain = plainRow(shape(), layer, a, 1, query);
                const AttentionRow row = makeRow(1, query, source);
                const RowFacts facts(source, 1, query);
                double sum = 0;
                for (std::size_t j = 0; j <= query; ++j) {
                    const bool inside = lets(layer, query, j);
                    const std::size_t at = query * kTile + j, pooled = query / 4 * kTile + j / 4;
                    QCOMPARE(row.reason[j] == Reason::Outside, !inside);
                    QCOMPARE(full.state[at] == CellState::Outside, !inside);
                    QCOMPARE(facts.kind(j) == ReadKind::OutsideNative, !inside);
                    QVERIFY(std::abs(static_cast<double>(row.full[j]) - plain.weight[j]) < 1e-5);
                    QVERIFY(std::abs(static_cast<double>(full.value[at]) - plain.weight[j]) < 1e-5);
                    QVERIFY(std::abs(hybrid.value[at] - row.hybrid[j]) < 1e-5F);
                    if (!inside)
                        QCOMPARE(row.hybrid[j], 0.0F);
                    sum += static_cast<double>(row.hybrid[j]);
                    computed[pooled] += inside ? 1 : 0;
                    read[pooled] += row.reason[j] < Reason::Far ? 1 : 0;
                }
                QVERIFY(std::abs(sum - 1) < 1e-5);
                const AttentionColumn column = makeColumn(1, query, source);
                for (std::size_t i = 0; query + i < tokens(); ++i) {
                    const AttentionRow later = makeRow(1, query + i, source);
                    QCOMPARE(column.reason[i], later.reason[query]);
                    QVERIFY(std::abs(column.full[i] - later.full[query]) < 1e-6F);
                    QVERIFY(std::abs(column.hybrid[i] - later.hybrid[query]) < 1e-6F);
                }
            }
            for (std::size_t at = 0; at < read.size(); ++at)
                if (computed[at] > 0) // a share of what the model computes, not of all that comes before
                    QVERIFY(std::abs(static_cast<double>(kept.value[at]) - read[at] / computed[at]) < 1e-6);
            const BlockFacts block = blockFacts(source, 1, MapQuantity::Full, {40, 44}, {20, 36});
            std::size_t pairs = 0;
            for (std::size_t i = 40; i < 44; ++i)
                for (std::size_t j = 20; j < 36; ++j)
                    pairs += lets(layer, i, j) ? 1U : 0U;
            QCOMPARE(block.pairs, pairs);
            const PairFacts pair = pairFacts(source, 1, 40, 20);
            QCOMPARE(pair.computed(), !isLocal(layer));
            const TokenReport report = tokenReport(source, s->routeInput(layer), shape(), 1, 30, 200);
            QCOMPARE(report.keys, isLocal(layer) ? std::size_t{kWindow} : std::size_t{31});
            QCOMPARE(report.later, isLocal(layer) ? std::size_t{kWindow} : tokens() - 30);
            QCOMPARE(report.reads.size(), report.keys);
            QCOMPARE(report.readBy.size(), report.later);
            const TokenValues values = readByQuery(source, 1, 30);
            QCOMPARE(values.state[20] == TokenState::Impossible, isLocal(layer));
            const MapTile drawn = pictureTile({layer, 1, MapQuantity::Full, Pooling::Mass, 1}, a.picture);
            QCOMPARE(drawn.state[20 * kTile] == CellState::Outside, isLocal(layer));
            QCOMPARE(drawn.state[20 * kTile + 19], CellState::Local);
            const HeadStats& stats = s->full->headStats[static_cast<std::size_t>(layer)][1];
            if (isLocal(layer))
                QVERIFY(stats.meanDistance < kWindow && stats.keysFor90 <= kWindow);
            if (isLocal(layer))
                QVERIFY(stats.localMass > 0.999F);
        }
}

void tst_NativeLayers::cache_holdsTheWindow() {
    const KvRetention local = retentionOf({}, shape(), 0), global = retentionOf({}, shape(), 1);
    QCOMPARE(local.reach, std::size_t{kWindow});
    QVERIFY(local.kept.empty());
    QCOMPARE(global.reach, KvRetention::kEverything);
    AttentionPolicy narrowed = narrow();
    QCOMPARE(retentionOf(narrowed, shape(), 0).reach, std::size_t{4});
    QCOMPARE(retentionOf(routedBy("head_dot"), shape(), 0).reach, KvRetention::kEverything);

    // The full arm, token by token over such caches.
    const std::vector<std::int32_t>& ids = m_snapshot->tokens->ids;
    const std::size_t prompt = 20;
    TokenFacts facts = firstFacts(*m_snapshot->facts, prompt);
    Result<Decoder> decoder =
        Decoder::start(m_snapshot->model, {}, std::span(ids).first(prompt), facts, {}, {});
    QVERIFY(decoder);
    double worst = 0;
    for (std::size_t at = prompt; at < ids.size(); ++at) {
        QVERIFY(decoder->step(ids[at], {}, {}));
        for (std::size_t d = 0; d < decoder->hidden().size(); ++d)
            worst = std::max(worst, std::abs(static_cast<double>(decoder->hidden()[d]) -
                                             static_cast<double>(m_snapshot->full->hidden->view()(at, d))));
    }
    QVERIFY2(worst < 1e-4, qPrintable(QString::number(worst)));
}

void tst_NativeLayers::summaries_standForKeysInside() {
    AttentionPolicy policy = narrow();
    policy.local.window = 2;
    policy.far.far = Far::Summaries;
    policy.far.m = 3;
    const SummaryOptions options{3, true, 0};
    for (int layer : {0, 1}) {
        const SnapshotPtr s = withVisible(policy, layer);
        const AttentionInput in = s->attentionInput(layer);
        const HeadPlan& plan = *s->visible->plan->heads[0];
        std::uint64_t entries = 0;
        for (std::size_t query = 0; query < tokens(); ++query) {
            std::size_t stoodFor = 0, inside = 0;
            for (const SummaryEntry& entry : summaryEntries(plan, in, 0, query, options)) {
                ++entries;
                for (const std::uint32_t member : entry.members) {
                    QVERIFY(lets(layer, query, member));
                    ++stoodFor;
                }
            }
            for (std::size_t key = 0; key <= query; ++key)
                inside += lets(layer, query, key) ? 1U : 0U;
            QCOMPARE(stoodFor + plan.keysOf(query).size(), inside);
        }
        QCOMPARE(s->visible->far.entries, entries * static_cast<std::uint64_t>(shape().heads));
        // The fast sums against the plain ones.
        std::vector<std::uint8_t> wanted(static_cast<std::size_t>(shape().heads), 1);
        Branch fast(0, tokens(), wanted.size(), 16), slow(0, tokens(), wanted.size(), 16);
        BlockSums sums(3, in.k.cols);
        sums.extend(in.k, in.v);
        QVERIFY(attendSummaries(*s->visible->plan, in, sums, options, wanted, Isa::Portable, fast, {}));
        attendSummariesOracle(*s->visible->plan, in, options, wanted, slow);
        for (std::size_t r = 0; r < tokens(); ++r)
            for (std::size_t c = 0; c < fast.o.cols(); ++c)
                QVERIFY(std::abs(fast.o.view()(r, c) - slow.o.view()(r, c)) < 1e-5F);
    }
}

void tst_NativeLayers::runningStates_areForGlobalLayers() {
    const SnapshotPtr s = snapshotOf(modelWith(hybridLayers(0)));
    for (const Far far : {Far::Linear, Far::Recurrent}) {
        AttentionPolicy policy = narrow();
        policy.far.far = far;
        policy.combine.combine = Combine::Gated;
        for (int layer = 0; layer < kLayers; ++layer) {
            Matrix o;
            const Result<VisibleLayer> done = runVisible(*s, policy, layer, -1, {0, tokens()}, {}, &o);
            QVERIFY2(done, done ? "" : done.error().message.c_str());
            QCOMPARE(done->plan->asModel, isLocal(layer));
            QCOMPARE(done->far.macs > 0, !isLocal(layer));
            QCOMPARE(sameBits(o.view(), s->full->layers[static_cast<std::size_t>(layer)]->o.view()),
                     isLocal(layer));
        }
        const auto gates = checkGates(*s, policy, 0, {}, nullptr, false);
        QVERIFY(gates);
        for (const GateResult& gate : *gates)
            QVERIFY2(!gate.ok || *gate.ok, (std::to_string(gate.gate) + " " + gate.detail).c_str());
    }
}

void tst_NativeLayers::linearState_isRefusedBesideACap() {
    AttentionPolicy policy = narrow();
    policy.far.far = Far::Linear;
    policy.combine.combine = Combine::Shared;
    const Result<> refused = policyFits(policy, shape(), tokens());
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, ErrorCode::Unsupported);
    for (const char* word : {"far.far", "layer 1", "caps", "2", "summaries"})
        QVERIFY2(refused.error().message.find(word) != std::string::npos, refused.error().message.c_str());
    policy.mix.fullLayers = {1, 3}; // the windowed layers are kept as the model computes them
    QVERIFY(policyFits(policy, shape(), tokens()));
    ModelShape uncapped = shape();
    uncapped.ownLayers = hybridLayers(0);
    policy.mix.fullLayers.clear();
    QVERIFY(policyFits(policy, uncapped, tokens()));
}

void tst_NativeLayers::movedPositions_needARotation() {
    AttentionPolicy policy = narrow();
    policy.mix.positions = Positions::Cache;
    QVERIFY(policyFits(policy, shape(), tokens()));
    ModelShape partly = shape();
    partly.ownLayers[3].rotated = false;
    const Result<> refused = policyFits(policy, partly, tokens());
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, ErrorCode::Unsupported);
    QVERIFY2(refused.error().message.find("layer 3") != std::string::npos, refused.error().message.c_str());
    policy.mix.fullLayers = {3};
    QVERIFY(policyFits(policy, partly, tokens()));
    ModelShape learned = shape();
    learned.positions = PositionKind::Learned;
    const Result<> moved = policyFits(policy, learned, tokens());
    QVERIFY(!moved);
    QVERIFY2(moved.error().message.find("learned") != std::string::npos, moved.error().message.c_str());
    policy.mix.positions = Positions::Original;
    QVERIFY(policyFits(policy, learned, tokens()));
}

/// The signals that weigh whole rows, against the definition.
void tst_NativeLayers::signals_weighInsideTheWindow() {
    for (int layer : {0, 1}) {
        const LayerActivations& a = *m_snapshot->full->layers[static_cast<std::size_t>(layer)];
        const RouteInput in = m_snapshot->routeInput(layer);
        std::vector<double> received(tokens());
        std::vector<double> entropy(tokens()), deficit(tokens());
        for (std::size_t query = 0; query < tokens(); ++query) {
            const PlainRow row = plainRow(shape(), layer, a, 0, query);
            for (std::size_t key = 0; key <= query; ++key) {
                received[key] += row.weight[key];
                entropy[query] -= row.weight[key] > 0 ? row.weight[key] * std::log(row.weight[key]) : 0;
                deficit[query] += query - key >= 4 && key >= 2 ? row.weight[key] : 0;
            }
        }
        const std::size_t last = tokens() - 1;
        AttentionPolicy policy = routedBy("received");
        const auto scores = signalScores(policy, shape(), in, 0, last, {});
        QVERIFY(scores);
        std::size_t compared = 0;
        for (std::size_t key = 0; key <= last; ++key)
            if (!std::isnan((*scores)[key])) {
                QVERIFY(std::abs(static_cast<double>((*scores)[key]) - received[key]) < 1e-4);
                ++compared;
            }
        QCOMPARE(compared, isLocal(layer) ? std::size_t{kWindow - 4} : last + 1 - 6);
        // Without the full run's log-sum-exp, from two passes.
        RouteInput bare = in;
        bare.fullLse = {};
        const auto again = signalScores(policy, shape(), bare, 0, last, {});
        QVERIFY(again);
        for (std::size_t key = 0; key <= last; ++key)
            if (!std::isnan((*scores)[key]))
                QVERIFY(std::abs((*scores)[key] - (*again)[key]) < 1e-4F);
        for (const char* signal : {"row_entropy", "local_deficit"}) {
            AttentionPolicy queries = routedBy(signal, 1);
            queries.routed.role = Role::Queries;
            queries.routed.budgetKind = BudgetKind::Fraction;
            const auto routing = route(queries, shape(), in, {0, tokens()}, 0, {});
            QVERIFY(routing && routing->choicesOf(0));
            const std::vector<double>& expected = std::string(signal) == "row_entropy" ? entropy : deficit;
            for (std::size_t query = 0; query < tokens(); ++query)
                QVERIFY2(std::abs(static_cast<double>(routing->choicesOf(0)->queryScore[query]) -
                                  expected[query]) < 1e-4,
                         signal);
        }
        // The oracle records true weights.
        const auto truth = signalScores(routedBy("oracle"), shape(), in, 0, last, {});
        QVERIFY(truth);
        const PlainRow row = plainRow(shape(), layer, a, 0, last);
        for (std::size_t key = 0; key <= last; ++key)
            if (!std::isnan((*truth)[key]))
                QVERIFY(std::abs(static_cast<double>((*truth)[key]) - row.weight[key]) < 1e-5);
    }
    const auto heads = retrievalScores(*m_snapshot->model, Isa::Portable, {});
    QVERIFY(heads);
    for (std::size_t n = 0; n < heads->size(); ++n) // what is copied lies 128 tokens back
        if (isLocal(static_cast<int>(n) / shape().heads))
            QCOMPARE((*heads)[n], 0.0F);
}

void tst_NativeLayers::openedUp_isALabelledChange() {
    const std::shared_ptr<const Model>& trained = m_snapshot->model;
    QCOMPARE(modelToRun(trained, true), trained);
    QCOMPARE(modelToRun(m_asFile, false), m_asFile); // nothing to open
    const std::shared_ptr<const Model> opened = modelToRun(trained, false);
    QVERIFY(opened != trained);
    QCOMPARE(opened->weights, trained->weights);
    QVERIFY(!hasNativeWindows(opened->shape));
    QVERIFY(capsLogits(opened->shape)); // nothing else is changed
    QVERIFY(trained->info.change.empty());
    const SnapshotPtr s = snapshotOf(opened);
    QVERIFY(s->provenance().find("every layer global") != std::string::npos);
    QVERIFY(m_snapshot->provenance().find("every layer global") == std::string::npos);
    QCOMPARE(s->full->cost.pairs,
             static_cast<std::uint64_t>(kLayers * shape().heads) * tokens() * (tokens() + 1) / 2);
    Request a = *m_snapshot->request, b = a;
    b.nativeWindows = false;
    QVERIFY(sameRun(a, a));
    QVERIFY(!sameRun(a, b));
    QVERIFY(sameText(a, b));
}

QTEST_APPLESS_MAIN(tst_NativeLayers)
#include "tst_NativeLayers.moc"
