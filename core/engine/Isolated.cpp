#include "core/engine/Isolated.h"
#include "core/engine/EncoderLayer.h"
#include "core/engine/HybridArm.h"
#include "core/engine/Remake.h"
#include "core/plan/Recast.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea {

namespace {

constexpr std::size_t kOverlapRows = 256;

/// This layer's rows among the sampled (layer, head, row) triples of the whole model.
void sampleOverlap(const Snapshot& snapshot, VisibleLayer& visible) {
    const auto heads = static_cast<std::size_t>(snapshot.model->shape.heads);
    const std::size_t tokens = snapshot.tokens->size();
    const std::size_t perLayer = heads * tokens;
    const std::size_t all = perLayer * static_cast<std::size_t>(snapshot.model->shape.layers);
    const std::size_t samples = std::min(kOverlapRows, all);
    const AttentionInput input = snapshot.attentionInput(visible.layer);
    const LayerActivations& full = *snapshot.full->layers[static_cast<std::size_t>(visible.layer)];
    const TileSource source{input, full.lse, visible.lse, visible.plan.get(), snapshot.request->isa};
    const std::size_t begin = static_cast<std::size_t>(visible.layer) * perLayer;
    for (std::size_t s = 0; s < samples; ++s) {
        const std::size_t at = (2 * s + 1) * all / (2 * samples);
        if (at < begin || at >= begin + perLayer)
            continue;
        visible.overlapSum += topKOverlapOfRow(input, *visible.plan, static_cast<int>((at - begin) / tokens),
                                               (at - begin) % tokens, snapshot.request->isa);
        ++visible.overlapRows;
        if (!visible.exactLse.empty())
            visible.divergenceSum +=
                divergenceOfRow(source, static_cast<int>((at - begin) / tokens), (at - begin) % tokens);
    }
}

} // namespace

Result<VisibleLayer> runVisible(const Snapshot& withFullRun, const AttentionPolicy& policy, int layer,
                                int head, RowRange rows, const WorkContext& work, Matrix* output) {
    const Model& model = *withFullRun.model;
    const std::size_t tokens = withFullRun.tokens->size();
    const auto heads = static_cast<std::size_t>(model.shape.heads);
    const LayerActivations& full = *withFullRun.full->layers.at(static_cast<std::size_t>(layer));
    VisibleLayer visible;
    visible.layer = layer;
    visible.head = head;
    visible.lse.assign(tokens * heads, std::numeric_limits<float>::quiet_NaN());
    Matrix o(tokens, full.o.cols());
    const LayerTask task{model.shape,
                         std::make_shared<const AttentionPolicy>(policy),
                         withFullRun.facts,
                         layer,
                         head,
                         rows,
                         withFullRun.request->isa,
                         model.precision,
                         nullptr,
                         full.hiddenNorm};
    std::vector<float> exactLse(visible.lse);
    Result<HybridLayer> done =
        runLayer(task, withFullRun.attentionInput(layer), full.lse, {o.view(), visible.lse}, work, exactLse);
    FOVEA_TRY(done);
    visible.far = done->far;
    if (hasFarField(done->plan) || recastOf(done->plan) != Recast::None || repeatsKeys(done->plan))
        visible.exactLse = std::move(exactLse);
    visible.plan = std::make_shared<const AttentionPlan>(std::move(done->plan));
    visible.attentionSeconds = done->attentionSeconds;
    visible.routerSeconds = done->routerSeconds;
    visible.planSeconds = done->planSeconds;
    if (head < 0 && rows == RowRange{0, tokens}) {
        const LayerArms arms{full.v.view(), full.o.view(),  o.view(),         full.lse,
                             visible.lse,   full.projected, visible.exactLse, visible.far.entries};
        visible.fidelity = measureLayer(model, *visible.plan, arms, work.threads);
        sampleOverlap(withFullRun, visible);
        if (std::isnan(visible.fidelity->rowDivergence) && visible.overlapRows > 0) {
            visible.fidelity->rowDivergence = visible.divergenceSum / visible.overlapRows;
            visible.fidelity->divergenceRows = visible.overlapRows;
        }
    }
    if (output)
        *output = std::move(o);
    return visible;
}

Result<IsolatedResult> runIsolated(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                   const VisibleLayer* known,
                                   const std::function<void(const IsolatedResult&)>& layerDone,
                                   const WorkContext& work) {
    const ModelShape& shape = withFullRun.model->shape;
    const std::size_t tokens = withFullRun.tokens->size();
    IsolatedResult result;
    result.cost.full = withFullRun.full->cost;
    ArmCost& arm = result.cost.hybrid;
    double overlap = 0;
    const auto one = [&](int layer, std::shared_ptr<const LayerActivations> activations) -> Result<> {
        work.report("isolated layers", layer, shape.layers);
        const bool reuse = known && known->layer == layer && known->fidelity;
        Result<VisibleLayer> fresh;
        if (!reuse) {
            fresh = withFullRun.full->has(layer)
                        ? runVisible(withFullRun, policy, layer, -1, {0, tokens}, work)
                        : runVisible(withLayer(withFullRun, layer, std::move(activations)), policy, layer, -1,
                                     {0, tokens}, work);
            FOVEA_TRY(fresh);
        }
        const VisibleLayer& done = reuse ? *known : *fresh;
        addLayer(arm, {*done.plan, done.far, done.routerSeconds, done.planSeconds, done.attentionSeconds});
        for (const auto& headPlan : done.plan->heads)
            for (std::size_t reason = 0; reason < result.pairsByReason.size(); ++reason)
                result.pairsByReason[reason] += headPlan->pairsByReason[reason];
        result.pairsByReason[static_cast<std::size_t>(Reason::Far)] += done.far.entries;
        result.layers.push_back(*done.fidelity);
        overlap += done.overlapSum;
        result.overlap.sampledRows += done.overlapRows;
        if (layerDone && layer + 1 < shape.layers)
            layerDone(result);
        return {};
    };
    FOVEA_TRY(eachLayer(withFullRun, one, work));
    for (const LayerFidelity& f : result.layers) {
        const double share = 1.0 / static_cast<double>(result.layers.size());
        result.massRecall += f.massRecall * share;
        result.outputError += f.outputError * share;
        result.rowDivergence += f.rowDivergence * share;
        result.divergenceRows += f.divergenceRows;
    }
    result.overlap.mean = result.overlap.sampledRows > 0 ? overlap / result.overlap.sampledRows : 0;
    arm.extraPassMacs = extraPassMacs(shape, policy, tokens);
    countArm(arm, shape, policy, tokens);
    finishCost(result.cost, shape, policy, tokens);
    result.complete = true;
    return result;
}

} // namespace fovea
