// Models that are hybrid by birth: layers with a native window, a scale and a soft-cap of their own. The
// weights are those of the 13 kB model; the shape is changed after it was read, so that no file format takes
// part.
#include "SourceDir.h"
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
#include "tests/support/TinyModel.h"
#include <QDir>
#include <QTest>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

using namespace fovea;

namespace {

constexpr int kLayers = 4;
constexpr int kWindow = 8;
constexpr float kCap = 2;

using SnapshotPtr = std::shared_ptr<const Snapshot>;
using Sets = std::vector<std::set<std::uint32_t>>; ///< the keys of each query

bool isLocal(int layer) {
    return layer % 2 == 0;
}

/// Does the layer let the query read the key? By the definition, not by NativeWindow.
bool lets(int layer, std::size_t query, std::size_t key) {
    return key <= query && (!isLocal(layer) || query - key < static_cast<std::size_t>(kWindow));
}

std::vector<LayerShape> hybridLayers(float cap) {
    std::vector<LayerShape> layers(kLayers);
    for (int l = 0; l < kLayers; ++l) {
        LayerShape& layer = layers[static_cast<std::size_t>(l)];
        layer.window = isLocal(l) ? kWindow : 0;
        layer.softCap = cap;
        layer.attentionScale = l == 1 ? 0.5F : 0;
    }
    return layers;
}

AttentionPolicy narrow() {
    AttentionPolicy policy;
    policy.local.window = 4;
    policy.always.sinks = 2;
    return policy;
}

AttentionPolicy routedBy(const char* signal, double budget = 3) {
    AttentionPolicy policy = narrow();
    policy.routed.signal = signal;
    policy.routed.budget = budget;
    return policy;
}

AttentionPolicy paged(const char* signal, BudgetKind kind, double budget) {
    AttentionPolicy policy = routedBy(signal, budget);
    policy.routed.granularity = Granularity::Page;
    policy.routed.page = 4;
    policy.routed.budgetKind = kind;
    return policy;
}

struct Named {
    const char* name;
    AttentionPolicy policy;
};

/// Policies whose keys follow from the text alone.
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

Sets keysOf(const AttentionPlan& plan, int head, std::size_t tokens) {
    Sets sets(tokens);
    for (std::size_t query = 0; query < tokens; ++query)
        for (const KeptKey& kept : plan.keptKeys(head, query))
            sets[query].insert(kept.key);
    return sets;
}

/// Softmax attention of one row in double, by the definition of the layer.
struct PlainRow {
    std::vector<double> weight; ///< [query + 1]
    std::vector<double> o;
    double lse = 0;
};

PlainRow plainRow(const ModelShape& shape, int layer, const LayerActivations& a, int head,
                  std::size_t query) {
    const auto dim = static_cast<std::size_t>(shape.headDim);
    const LayerShape& own = shape.layer(layer);
    const double scale =
        own.attentionScale != 0 ? static_cast<double>(own.attentionScale) : 0.25; // 1/sqrt(16)
    const double cap = static_cast<double>(own.softCap);
    PlainRow row{std::vector<double>(query + 1), std::vector<double>(dim), 0};
    double sum = 0;
    for (std::size_t key = 0; key <= query; ++key) {
        if (!lets(layer, query, key))
            continue;
        double s = 0;
        for (std::size_t d = 0; d < dim; ++d)
            s += static_cast<double>(a.q.view()(query, static_cast<std::size_t>(head) * dim + d)) *
                 static_cast<double>(a.k.view()(key, d));
        s *= scale;
        if (cap > 0)
            s = cap * std::tanh(s / cap);
        row.weight[key] = std::exp(s);
        sum += row.weight[key];
    }
    for (std::size_t key = 0; key <= query; ++key) {
        row.weight[key] /= sum;
        for (std::size_t d = 0; d < dim; ++d)
            row.o[d] += row.weight[key] * static_cast<double>(a.v.view()(key, d));
    }
    row.lse = std::log(sum);
    return row;
}

bool sameBits(ConstMatrixView a, ConstMatrixView b) {
    for (std::size_t r = 0; r < a.rows; ++r)
        if (std::memcmp(a.row(r), b.row(r), a.cols * sizeof(float)) != 0)
            return false;
    return a.rows == b.rows && a.cols == b.cols;
}

} // namespace

class tst_NativeLayers : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void fullArm_isTheModelAsTrained();
    void pictures_areTheWeights();
    void views_sayWhatIsOutside();
    void fixedKeys_areIntersected_data();
    void fixedKeys_areIntersected();
    void routedKeys_areCandidatesInside_data();
    void routedKeys_areCandidatesInside();
    void counts_areThoseOfTheKeys_data();
    void counts_areThoseOfTheKeys();
    void readingEverything_givesTheModelsBits_data();
    void readingEverything_givesTheModelsBits();
    void gates_hold_data();
    void gates_hold();
    void cache_holdsTheWindow();
    void summaries_standForKeysInside();
    void runningStates_areForGlobalLayers();
    void linearState_isRefusedBesideACap();
    void movedPositions_needARotation();
    void signals_weighInsideTheWindow();
    void openedUp_isALabelledChange();
    void families_agreeWithTransformers_data();
    void families_agreeWithTransformers();

private:
    SnapshotPtr snapshotOf(std::shared_ptr<const Model> model, std::size_t letters = 90) const {
        auto snapshot = std::make_shared<Snapshot>();
        Request request = test::tinyRequest(m_file, letters);
        snapshot->request = std::make_shared<const Request>(request);
        snapshot->model = std::move(model);
        snapshot->tokens =
            std::make_shared<const Tokens>(tokenizeText(*snapshot->model, request, {}).value());
        snapshot->textHash = sha256Hex(*request.text);
        snapshot->full = runFull(*snapshot->model, *snapshot->tokens, request, {}, {}).value();
        snapshot->facts = std::make_shared<const TokenFacts>(
            makeFacts(*snapshot->model->tokenizer, *snapshot->tokens, snapshot->full->nll));
        return snapshot;
    }
    std::shared_ptr<const Model> modelWith(std::vector<LayerShape> layers) const {
        auto model = std::make_shared<Model>(*m_asFile);
        model->shape.ownLayers = std::move(layers);
        return model;
    }
    /// The snapshot with the visible layer of a policy.
    SnapshotPtr withVisible(const AttentionPolicy& policy, int layer) const {
        auto snapshot = std::make_shared<Snapshot>(*m_snapshot);
        auto request = std::make_shared<Request>(*m_snapshot->request);
        request->policy = policy;
        snapshot->request = request;
        snapshot->visible = std::make_shared<const VisibleLayer>(
            runVisible(*m_snapshot, policy, layer, -1, {0, tokens()}, {}).value());
        return snapshot;
    }
    [[nodiscard]] std::size_t tokens() const { return m_snapshot->tokens->size(); }
    [[nodiscard]] const ModelShape& shape() const { return m_snapshot->model->shape; }
    [[nodiscard]] std::uint64_t modelPairsOf(int layer) const {
        std::uint64_t pairs = 0;
        for (std::size_t query = 0; query < tokens(); ++query)
            for (std::size_t key = 0; key <= query; ++key)
                pairs += lets(layer, query, key) ? 1U : 0U;
        return pairs;
    }
    static void addPolicies(const std::vector<Named>& policies) {
        QTest::addColumn<AttentionPolicy>("policy");
        for (const Named& named : policies)
            QTest::addRow("%s %s", named.name, named.policy.summary().c_str()) << named.policy;
    }

    test::TinyModelFile m_file{kLayers};
    std::shared_ptr<const Model> m_asFile;
    SnapshotPtr m_snapshot; ///< of the hybrid model
};

Q_DECLARE_METATYPE(fovea::AttentionPolicy)

void tst_NativeLayers::initTestCase() {
    Result<std::shared_ptr<const Model>> model = loadModel(m_file.path(), {}, {});
    QVERIFY(model);
    m_asFile = *model;
    m_snapshot = snapshotOf(modelWith(hybridLayers(kCap)));
    QVERIFY(tokens() > 50 && tokens() < 64 * 2);
}

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
                QVERIFY2(std::abs(static_cast<double>(lse) - row.lse) < 1e-5,
                         qPrintable(QString::number(layer)));
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
            QCOMPARE(stats.localMass > 0.999F, isLocal(layer) || stats.localMass > 0.999F);
        }
}

void tst_NativeLayers::fixedKeys_areIntersected_data() {
    addPolicies(fixedPolicies());
}

void tst_NativeLayers::fixedKeys_areIntersected() {
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
                QVERIFY2(mine[query] == expected,
                         qPrintable(QString("layer %1 query %2").arg(layer).arg(query)));
            }
        }
}

void tst_NativeLayers::routedKeys_areCandidatesInside_data() {
    addPolicies(routedPolicies());
}

void tst_NativeLayers::routedKeys_areCandidatesInside() {
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

void tst_NativeLayers::counts_areThoseOfTheKeys_data() {
    addPolicies(everyPolicy());
}

void tst_NativeLayers::counts_areThoseOfTheKeys() {
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

void tst_NativeLayers::readingEverything_givesTheModelsBits_data() {
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

void tst_NativeLayers::readingEverything_givesTheModelsBits() {
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

void tst_NativeLayers::gates_hold_data() {
    addPolicies(everyPolicy());
}

void tst_NativeLayers::gates_hold() {
    QFETCH(AttentionPolicy, policy);
    const auto gates = checkGates(*m_snapshot, policy, 0, {}, nullptr, false);
    QVERIFY2(gates, gates ? "" : gates.error().message.c_str());
    for (const GateResult& gate : *gates)
        QVERIFY2(!gate.ok || *gate.ok, (std::to_string(gate.gate) + " " + gate.detail).c_str());
    QCOMPARE((*gates)[0].ok, std::optional(true));
    QVERIFY((*gates)[0].detail.find("native windows") != std::string::npos);
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

void tst_NativeLayers::families_agreeWithTransformers_data() {
    QTest::addColumn<QString>("path");
    const QDir all(FOVEA_SOURCE_DIR "/tests/golden/families");
    for (const QString& name : all.entryList(QDir::Dirs | QDir::NoDotAndDotDot, QDir::Name))
        QTest::newRow(qPrintable(name)) << all.filePath(name);
}

/// The full arm of real families, with their windows, caps and scales, through plans and kernels.
void tst_NativeLayers::families_agreeWithTransformers() {
    QFETCH(QString, path);
    QFile text(path + "/references.json"), file(path + "/references.f32");
    QVERIFY(text.open(QIODevice::ReadOnly) && file.open(QIODevice::ReadOnly));
    const auto reference = nlohmann::json::parse(text.readAll().toStdString());
    const QByteArray numbers = file.readAll();
    if (!reference["arrays"].contains("logits"))
        QSKIP("predicts no next token");
    const auto at = [&](const char* name, std::size_t n) {
        float value = 0;
        const std::size_t offset = reference["arrays"][name]["offset"].get<std::size_t>() + n;
        std::memcpy(&value, numbers.constData() + 4 * offset, sizeof value);
        return static_cast<double>(value);
    };
    const Result<std::shared_ptr<const Model>> model = loadModel(path.toStdString() + "/model.gguf", {}, {});
    QVERIFY2(model, model ? "" : model.error().message.c_str());
    const auto positions = reference["positions"].get<std::vector<std::size_t>>();
    const auto vocabulary = static_cast<std::size_t>((*model)->shape.vocabulary);
    Tokens tokens;
    tokens.ids = reference["ids"].get<std::vector<std::int32_t>>();
    tokens.spans.resize(tokens.ids.size());
    tokens.pieces.resize(tokens.ids.size());
    // The converter to GGUF drops Mistral's window: that file is the model opened up.
    const bool dropped = reference["family"] == "mistral" && !hasNativeWindows((*model)->shape);
    for (const bool native : {true, false}) {
        const char* array = native && !dropped ? "logits" : "opened";
        if (!reference["arrays"].contains(array))
            continue;
        const std::shared_ptr<const Model> run = modelToRun(*model, native);
        const Result<std::shared_ptr<const FullRun>> full = runFull(*run, tokens, {}, {}, {});
        QVERIFY2(full, full ? "" : full.error().message.c_str());
        Matrix logits(1, vocabulary);
        double worst = 0;
        for (std::size_t i = 0; i < positions.size(); ++i) {
            logitRows(*run, (*full)->hidden->view(), positions[i], logits.view(), 1);
            for (std::size_t v = 0; v < vocabulary; ++v)
                worst = std::max(worst, std::abs(static_cast<double>(logits.view()(0, v)) -
                                                 at(array, i * vocabulary + v)));
        }
        QVERIFY2(worst < 2e-4, qPrintable(QString("%1: logits differ by %2").arg(array).arg(worst)));
        if (!native || dropped)
            continue;
        const auto layers = reference["attention_layers"].get<std::vector<int>>();
        const auto heads = reference["attention_heads"].get<std::vector<int>>();
        std::size_t n = 0;
        for (const int layer : layers)
            for (const int head : heads)
                for (const std::size_t query : positions) {
                    const LayerActivations& a = *(*full)->layers[static_cast<std::size_t>(layer)];
                    const TileSource source{
                        attentionInputOf(*run, layer, a.q.view(), a.k.view(), a.v.view()), a.lse, {}};
                    const AttentionRow row = makeRow(head, query, source);
                    for (std::size_t key = 0; key < tokens.size(); ++key, ++n) {
                        const double p = key <= query ? static_cast<double>(row.full[key]) : 0;
                        QVERIFY2(std::abs(p - at("attention", n)) < 2e-5,
                                 qPrintable(QString("layer %1 head %2: %3 -> %4 is %5, not %6")
                                                .arg(layer)
                                                .arg(head)
                                                .arg(query)
                                                .arg(key)
                                                .arg(p)
                                                .arg(at("attention", n))));
                    }
                }
    }
}

QTEST_APPLESS_MAIN(tst_NativeLayers)
#include "tst_NativeLayers.moc"
