#pragma once
#include "core/engine/FullArm.h"
#include "core/engine/Isolated.h"
#include "core/engine/TextStage.h"
#include "core/files/Sha256.h"
#include "tests/support/TinyModel.h"
#include <cmath>
#include <cstring>
#include <memory>
#include <set>
#include <vector>

/// A model that is hybrid by birth: the 13 kB model with a native window of 8 in every other layer, a scale
/// and a soft-cap of their own. The shape is changed after it was read, so that no file format takes part.
namespace fovea::test {

inline constexpr int kLayers = 4;
inline constexpr int kWindow = 8;
inline constexpr float kCap = 2;

using SnapshotPtr = std::shared_ptr<const Snapshot>;
using Sets = std::vector<std::set<std::uint32_t>>; ///< the keys of each query

inline bool isLocal(int layer) {
    return layer % 2 == 0;
}

/// Does the layer let the query read the key? By the definition, not by NativeWindow.
inline bool lets(int layer, std::size_t query, std::size_t key) {
    return key <= query && (!isLocal(layer) || query - key < static_cast<std::size_t>(kWindow));
}

inline std::vector<LayerShape> hybridLayers(float cap) {
    std::vector<LayerShape> layers(kLayers);
    for (int l = 0; l < kLayers; ++l) {
        LayerShape& layer = layers[static_cast<std::size_t>(l)];
        layer.window = isLocal(l) ? kWindow : 0;
        layer.softCap = cap;
        layer.attentionScale = l == 1 ? 0.5F : 0;
    }
    return layers;
}

inline AttentionPolicy narrow() {
    AttentionPolicy policy;
    policy.local.window = 4;
    policy.always.sinks = 2;
    return policy;
}

inline AttentionPolicy routedBy(const char* signal, double budget = 3) {
    AttentionPolicy policy = narrow();
    policy.routed.signal = signal;
    policy.routed.budget = budget;
    return policy;
}

inline AttentionPolicy paged(const char* signal, BudgetKind kind, double budget) {
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

inline Sets keysOf(const AttentionPlan& plan, int head, std::size_t tokens) {
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

inline PlainRow plainRow(const ModelShape& shape, int layer, const LayerActivations& a, int head,
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

inline bool sameBits(ConstMatrixView a, ConstMatrixView b) {
    if (a.rows != b.rows || a.cols != b.cols)
        return false;
    for (std::size_t r = 0; r < a.rows; ++r)
        if (std::memcmp(a.row(r), b.row(r), a.cols * sizeof(float)) != 0)
            return false;
    return true;
}

/// The model, and a snapshot of its full run over a text of some 80 tokens.
class HybridByBirth {
protected:
    /// Reads the model and runs it; false: it could not be read.
    bool make() {
        Result<std::shared_ptr<const Model>> model = loadModel(m_file.path(), {}, {});
        if (!model)
            return false;
        m_asFile = *model;
        m_snapshot = snapshotOf(modelWith(hybridLayers(kCap)));
        return tokens() > 50 && tokens() < 64 * 2;
    }
    SnapshotPtr snapshotOf(std::shared_ptr<const Model> model, std::size_t letters = 90) const {
        auto snapshot = std::make_shared<Snapshot>();
        Request request = tinyRequest(m_file, letters);
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

    TinyModelFile m_file{kLayers};
    std::shared_ptr<const Model> m_asFile;
    SnapshotPtr m_snapshot; ///< of the hybrid model
};

} // namespace fovea::test
