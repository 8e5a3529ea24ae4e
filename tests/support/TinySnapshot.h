#pragma once
#include "core/base/SplitMix64.h"
#include "core/engine/Snapshot.h"
#include "core/files/Sha256.h"
#include "core/kernels/Attention.h"
#include "core/route/Router.h"
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// A small snapshot for tests of views, without a model file: q, k and v are made of hashes (with a sink and
/// a bias to the near, as real heads have), everything after them is the product of the real router, planner
/// and kernels.
namespace fovea::test {

struct TinyOptions {
    std::size_t tokens = 64;
    int layers = 3, heads = 4, kvHeads = 2, headDim = 16;
    AttentionPolicy policy = [] {
        AttentionPolicy p;
        p.local.window = 12;
        p.always.sinks = 2;
        p.routed.signal = "key_norm";
        p.routed.budget = 4;
        return p;
    }();
    int layer = 1, head = 1; ///< visible
    std::uint64_t seed = 1;  ///< of the activations: another text
    std::uint64_t generation = 1;
    bool hybrid = true;   ///< with the visible layer
    bool isolated = true; ///< with every layer's fidelity
    int layersDone = -1;  ///< >= 0: a full run under way
    Isa isa = Isa::Portable;
};

inline float signedUnit(std::uint64_t draw) {
    return unitFloat(draw) * 2 - 1;
}

/// The oracle while that is quick, else the fused kernel, which is tested against it.
inline void tinyAttend(const AttentionPlan& plan, const AttentionInput& in, AttentionOutput out) {
    if (in.q.rows <= 800)
        attendOracle(plan, in, out);
    else if (!attend(plan, in, out, {}, {}))
        std::abort();
}

inline std::shared_ptr<const Tokens> tinyTokens(std::size_t count) {
    static constexpr std::string_view kWords[] = {
        "The",  " harbour",     " master", " wrote",        " the",        " code", " of",
        " the", " third",       " anchor", " in",           " the",        " log",  ".",
        "\n",   " <b>bold</b>", " and",    " \xE2\x80\xAE", " caf\xC3\xA9"};
    auto tokens = std::make_shared<Tokens>();
    std::uint32_t at = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string_view word = kWords[i % std::size(kWords)];
        tokens->ids.push_back(static_cast<std::int32_t>(i % std::size(kWords)));
        tokens->pieces.emplace_back(word);
        tokens->spans.push_back({at, at + static_cast<std::uint32_t>(word.size())});
        at += static_cast<std::uint32_t>(word.size());
    }
    return tokens;
}

inline void fillActivations(LayerActivations& a, const ModelShape& shape, std::size_t tokens,
                            std::uint64_t seed, int layer) {
    const auto heads = static_cast<std::size_t>(shape.heads),
               groups = static_cast<std::size_t>(shape.kvHeads);
    const auto dim = static_cast<std::size_t>(shape.headDim);
    a.q = Matrix(tokens, heads * dim);
    a.k = Matrix(tokens, groups * dim);
    a.v = Matrix(tokens, groups * dim);
    a.o = Matrix(tokens, heads * dim);
    a.lse.assign(tokens * heads, 0);
    const auto l = static_cast<std::uint64_t>(layer);
    const auto fill = [&](MatrixView m, std::uint64_t kind, bool query) {
        for (std::size_t t = 0; t < m.rows; ++t)
            for (std::size_t c = 0; c < m.cols; ++c) {
                const std::size_t d = c % dim;
                float x = signedUnit(splitMix64(seed, l, kind, t, c));
                if (kind < 2) {
                    // Two rotations bring q and k of near tokens together; the last dimension is the sink's.
                    const double angle = static_cast<double>(t) * (d < 4 ? 0.05 : 0.4);
                    if (d < 8)
                        x = 0.4F * x +
                            1.3F * static_cast<float>(d % 2 == 0 ? std::cos(angle) : std::sin(angle));
                    if (d + 1 == dim)
                        x = query ? 1.5F : t == 0 ? 6.0F : 0.0F;
                }
                m(t, c) = x;
            }
    };
    fill(a.q.view(), 0, true);
    fill(a.k.view(), 1, false);
    fill(a.v.view(), 2, false);
}

/// Null parts are those that the options leave out. Nothing here can fail for legal options; a failure ends
/// the test.
inline std::shared_ptr<Snapshot> tinySnapshot(const TinyOptions& o = {}) {
    const auto must = [](auto result) {
        if (!result)
            std::abort();
        return std::move(*result);
    };
    auto snapshot = std::make_shared<Snapshot>();
    auto model = std::make_shared<Model>();
    ModelShape& shape = model->shape;
    shape.family = "llama";
    shape.layers = o.layers;
    shape.heads = o.heads;
    shape.kvHeads = o.kvHeads;
    shape.headDim = o.headDim;
    shape.width = o.heads * o.headDim;
    shape.feedForward = shape.width;
    shape.context = 2048;
    shape.vocabulary = 19;
    model->info.name = "tiny";
    model->info.sha256 = std::string(64, '0');
    model->info.tensorTypes = {{"F32", 1}};
    auto tokens = tinyTokens(o.tokens);
    auto request = std::make_shared<Request>();
    std::string text;
    for (const std::string& piece : tokens->pieces)
        text += piece;
    request->text = std::make_shared<const std::string>(text);
    request->modelPath = "tiny"; // no such file: a run that asks for it fails
    request->policy = o.policy;
    request->visible.layer = o.layer;
    request->visible.head = o.head;
    request->isa = o.isa;
    auto facts = std::make_shared<TokenFacts>();
    facts->tokens = o.tokens;
    facts->special.assign(o.tokens, 0);
    facts->punctuation.assign(o.tokens, 0);

    auto full = std::make_shared<FullRun>();
    const int done = o.layersDone >= 0 ? o.layersDone : o.layers;
    for (int layer = 0; layer < done; ++layer) {
        auto a = std::make_shared<LayerActivations>();
        fillActivations(*a, shape, o.tokens, o.seed, layer);
        const AttentionInput in{a->q.view(),
                                a->k.view(),
                                a->v.view(),
                                shape.heads,
                                shape.kvHeads,
                                shape.headDim,
                                shape.attentionScale(layer)};
        tinyAttend(modelPlan(shape, layer, o.tokens), in, {a->o.view(), a->lse});
        AttentionCells cells = makeCells(shape.heads, o.tokens, cellFor(o.tokens, kPictureCells));
        fillCellRows(in, a->lse, 0, cells);
        a->picture = pooledTo(cells, kPictureCells);
        full->layers.push_back(a);
        full->headStats.emplace_back();
        for (int h = 0; h < o.heads; ++h) {
            const float x = static_cast<float>(layer * o.heads + h);
            full->headStats.back().push_back({0.5F + x, 0.01F * x, 0.5F, 3 + x, 10 * x, 0.02F * x});
        }
    }
    full->complete = done == o.layers;
    snapshot->generation = o.generation;
    snapshot->request = request;
    snapshot->model = model;
    snapshot->tokens = tokens;
    snapshot->facts = facts;
    snapshot->full = full;
    snapshot->textHash = sha256Hex(text + std::to_string(o.seed));
    snapshot->policyHash = sha256Hex(o.policy.summary());
    snapshot->final = true;
    if (!o.hybrid || o.layer >= done)
        return snapshot;

    const auto& a = full->layers[static_cast<std::size_t>(o.layer)];
    const AttentionInput in = snapshot->attentionInput(o.layer);
    auto policy = std::make_shared<const AttentionPolicy>(o.policy);
    auto visible = std::make_shared<VisibleLayer>();
    visible->layer = o.layer;
    visible->lse.assign(o.tokens * static_cast<std::size_t>(o.heads),
                        std::numeric_limits<float>::quiet_NaN());
    std::shared_ptr<const LayerRouting> routing;
    WorkContext work;
    work.threads = 1;
    if (policy->routed.on() && !policy->fullInLayer(o.layer)) {
        const RouteInput routeInput{o.layer, in.q, in.k, in.v, a->lse, facts.get()};
        routing = std::make_shared<const LayerRouting>(
            must(route(*policy, shape, routeInput, {0, o.tokens}, -1, work)));
    }
    auto plan = std::make_shared<const AttentionPlan>(
        must(makePlan(policy, shape, o.layer, facts, routing, {0, o.tokens})));
    Matrix out(o.tokens, a->o.cols());
    tinyAttend(*plan, in, {out.view(), visible->lse});
    visible->plan = plan;
    LayerFidelity fidelity;
    fidelity.layer = o.layer;
    for (int h = 0; h < o.heads; ++h) {
        fidelity.headMass.push_back(1 - 0.05F * static_cast<float>(h));
        fidelity.headOutputError.push_back(0.02F * static_cast<float>(h));
    }
    visible->fidelity = fidelity;
    snapshot->visible = visible;
    if (o.isolated) {
        auto isolated = std::make_shared<IsolatedResult>();
        for (int layer = 0; layer < o.layers; ++layer) {
            LayerFidelity f = fidelity;
            f.layer = layer;
            for (float& mass : f.headMass)
                mass -= 0.1F * static_cast<float>(layer);
            isolated->layers.push_back(f);
        }
        isolated->complete = true;
        snapshot->isolated = isolated;
    }
    return snapshot;
}

} // namespace fovea::test
