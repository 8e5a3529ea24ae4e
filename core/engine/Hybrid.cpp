// The runs of both arms. The full run keeps what recomputes any tile and any isolated hybrid exactly; the
// hybrid runs go router -> plan -> kernel, each on its own clock.
#include "core/base/Stopwatch.h"
#include "core/engine/Engine.h"
#include "core/engine/LayerRun.h"
#include "core/model/Forward.h"
#include "core/model/Weights.h"
#include "core/plan/Recast.h"
#include "core/route/Norms.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

namespace fovea {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kSampledTokens = 256;
constexpr std::size_t kOverlapRows = 256;
constexpr std::size_t kStatRows = 64;

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

Seconds once(double seconds) {
    return {seconds, {}, 1};
}

Matrix copyOf(ConstMatrixView in) {
    Matrix out(in.rows, in.cols);
    for (std::size_t r = 0; r < in.rows; ++r)
        std::copy_n(in.row(r), in.cols, out.view().row(r));
    return out;
}

Matrix rowsOf(ConstMatrixView in, std::span<const std::uint32_t> rows) {
    Matrix out(rows.size(), in.cols);
    for (std::size_t r = 0; r < rows.size(); ++r)
        std::copy_n(in.row(rows[r]), in.cols, out.view().row(r));
    return out;
}

std::vector<std::uint32_t> evenlySpaced(std::size_t tokens, std::size_t count) {
    count = std::min(count, tokens);
    std::vector<std::uint32_t> rows(count);
    for (std::size_t r = 0; r < count; ++r)
        rows[r] = static_cast<std::uint32_t>((r + 1) * tokens / count - 1);
    return rows;
}

float relativeDistance(ConstMatrixView a, ConstMatrixView b) {
    double error = 0, norm = 0;
    for (std::size_t r = 0; r < a.rows; ++r)
        for (std::size_t c = 0; c < a.cols; ++c) {
            const double x = static_cast<double>(a(r, c));
            const double d = x - static_cast<double>(b(r, c));
            error += d * d;
            norm += x * x;
        }
    return static_cast<float>(norm > 0 ? std::sqrt(error / norm) : 0);
}

void addLayer(ArmCost& arm, const HybridLayer& layer) {
    arm.pairs += layer.plan.pairs() + layer.far.entries;
    arm.pairsComputed += layer.plan.pairsComputed() + layer.far.entries;
    arm.farEntries += layer.far.entries;
    arm.farMacs += layer.far.macs;
    arm.farStateBytes += layer.far.stateBytes;
    arm.routerMacs += layer.plan.routing ? layer.plan.routing->macs : 0;
    arm.attention.median += layer.attentionSeconds;
    arm.router.median += layer.routerSeconds;
    arm.plan.median += layer.planSeconds;
    arm.attention.runs = arm.router.runs = arm.plan.runs = 1;
}

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

Result<std::shared_ptr<const FullRun>>
runFull(const Model& model, const Tokens& tokens, const Request& request,
        const std::function<void(const FullRun& soFar, int layer)>& layerDone, const WorkContext& work) {
    const ModelShape& shape = model.shape;
    auto run = std::make_shared<FullRun>();
    run->sampledTokens = evenlySpaced(tokens.size(), kSampledTokens);
    double aside = 0; // copies, statistics and deliveries: not part of full attention's own time
    double attention = 0;
    const auto start = Clock::now();
    const Attend attendFull = [&](const LayerInput& in, MatrixView o) -> Result<> {
        auto layer = std::make_shared<LayerActivations>();
        {
            const Stopwatch watch(aside);
            layer->lse.resize(tokens.size() * static_cast<std::size_t>(shape.heads));
        }
        const AttentionPlan plan = fullPlan(shape, in.layer, tokens.size());
        const AttentionInput input = attentionInputOf(model, in.q, in.k, in.v);
        AttentionCells cells;
        if (request.headStats) {
            const Stopwatch watch(aside);
            cells = makeCells(shape.heads, tokens.size(), cellFor(tokens.size(), kPictureCells));
        }
        {
            const Stopwatch watch(attention);
            const AttentionOutput out{o, layer->lse, request.headStats ? &cells : nullptr};
            FOVEA_TRY(attend(plan, input, out, {request.isa, -1, model.precision}, work));
        }
        const Stopwatch watch(aside);
        run->cost.pairs += plan.pairs();
        run->cost.pairsComputed += plan.pairsComputed();
        run->residual.push_back(std::make_shared<const Matrix>(rowsOf(in.x, run->sampledTokens)));
        layer->q = copyOf(in.q);
        layer->k = copyOf(in.k);
        layer->v = copyOf(in.v);
        layer->hiddenNorm = rowNorms(in.x, in.x.rows, 1);
        layer->o = copyOf(o);
        layer->projected = projectedNorm(model, in.layer, layer->o.view(), work.threads);
        if (request.headStats) {
            run->headStats.push_back(measureHeads(input, layer->lse, kStatRows, request.isa, work.threads));
            layer->picture = pooledTo(cells, kPictureCells);
        }
        run->layers.push_back(std::move(layer));
        work.report("full attention", in.layer + 1, shape.layers);
        if (layerDone)
            layerDone(*run, in.layer);
        return work.checkpoint();
    };
    Result<Matrix> hidden = forward(model, tokens.ids, attendFull, work);
    FOVEA_TRY(hidden);
    double seconds = secondsSince(start) - aside;
    run->hidden = std::make_shared<const Matrix>(std::move(*hidden));
    Result<NextTokenScores> scores = scoreText(model, tokens.ids, run->hidden->view(), work);
    FOVEA_TRY(scores);
    seconds += scores->seconds;
    run->nll = std::move(scores->nll);
    run->logNormaliser = std::move(scores->logNormaliser);
    run->top1 = std::move(scores->top1);
    countArm(run->cost, shape, AttentionPolicy{}, tokens.size());
    run->cost.total = once(seconds);
    run->cost.attention = once(attention);
    run->cost.router = once(0);
    run->cost.plan = once(0);
    run->complete = true;
    return std::shared_ptr<const FullRun>(std::move(run));
}

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
    if (hasFarField(done->plan) || recastOf(done->plan) != Recast::None)
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
        if (std::isnan(visible.fidelity->rowDivergence) && visible.overlapRows > 0)
            visible.fidelity->rowDivergence = visible.divergenceSum / visible.overlapRows; // of sampled rows
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
    for (int layer = 0; layer < shape.layers; ++layer) {
        FOVEA_TRY(work.checkpoint());
        work.report("isolated layers", layer, shape.layers);
        const bool reuse = known && known->layer == layer && known->fidelity;
        Result<VisibleLayer> fresh;
        if (!reuse) {
            fresh = runVisible(withFullRun, policy, layer, -1, {0, tokens}, work);
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
    }
    for (const LayerFidelity& f : result.layers) {
        const double share = 1.0 / static_cast<double>(result.layers.size());
        result.massRecall += f.massRecall * share;
        result.outputError += f.outputError * share;
        result.rowDivergence += f.rowDivergence * share;
    }
    result.overlap.mean = result.overlap.sampledRows > 0 ? overlap / result.overlap.sampledRows : 0;
    arm.extraPassMacs = extraPassMacs(shape, policy, tokens);
    countArm(arm, shape, policy, tokens);
    finishCost(result.cost, shape, policy, tokens);
    result.complete = true;
    return result;
}

Result<Matrix> runHybridHidden(const Model& model, std::span<const std::int32_t> ids,
                               std::shared_ptr<const TokenFacts> facts, const AttentionPolicy& policy,
                               Isa isa, const WorkContext& work) {
    const auto shared = std::make_shared<const AttentionPolicy>(policy);
    const Attend attendHybrid = [&](const LayerInput& in, MatrixView o) -> Result<> {
        const std::vector<float> norms = hiddenNormsFor(policy, in.x);
        const LayerTask task{model.shape,     shared, facts,           in.layer, -1,
                             {0, ids.size()}, isa,    model.precision, nullptr,  norms};
        FOVEA_TRY(runLayer(task, attentionInputOf(model, in.q, in.k, in.v), {}, {o, {}}, work));
        return work.checkpoint();
    };
    return forward(model, ids, attendHybrid, work);
}

Result<PropagatedResult> runPropagated(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                       const WorkContext& work,
                                       const std::function<void(const LayerRouting&)>& layerRouted) {
    const Model& model = *withFullRun.model;
    const ModelShape& shape = model.shape;
    const FullRun& full = *withFullRun.full;
    const std::vector<std::int32_t>& ids = withFullRun.tokens->ids;
    FOVEA_ASSERT(full.complete);

    PropagatedResult result;
    auto record = std::make_shared<RoutingRecord>();
    ArmCost& arm = result.cost.hybrid;
    std::vector<float> depthError;
    double aside = 0;
    const auto shared = std::make_shared<const AttentionPolicy>(policy);
    const auto start = Clock::now();
    const Attend attendHybrid = [&](const LayerInput& in, MatrixView o) -> Result<> {
        const std::vector<float> norms = hiddenNormsFor(policy, in.x);
        const LayerTask task{shape,
                             shared,
                             withFullRun.facts,
                             in.layer,
                             -1,
                             {0, ids.size()},
                             withFullRun.request->isa,
                             model.precision,
                             nullptr,
                             norms};
        const Result<HybridLayer> done =
            runLayer(task, attentionInputOf(model, in.q, in.k, in.v), {}, {o, {}}, work);
        FOVEA_TRY(done);
        const Stopwatch watch(aside);
        addLayer(arm, *done);
        if (done->plan.routing) {
            appendRouting(*record, *done->plan.routing, shape);
            if (layerRouted)
                layerRouted(*done->plan.routing);
        }
        if (in.layer > 0)
            depthError.push_back(relativeDistance(full.residual[static_cast<std::size_t>(in.layer)]->view(),
                                                  rowsOf(in.x, full.sampledTokens).view()));
        work.report("hybrid attention", in.layer + 1, shape.layers);
        return work.checkpoint();
    };
    Result<Matrix> hidden = forward(model, ids, attendHybrid, work);
    FOVEA_TRY(hidden);
    double seconds = secondsSince(start) - aside;
    depthError.push_back(relativeDistance(rowsOf(full.hidden->view(), full.sampledTokens).view(),
                                          rowsOf(hidden->view(), full.sampledTokens).view()));
    const NextTokenScores fullScores{full.nll, full.logNormaliser, full.top1, 0};
    Result<NextTokenComparison> compared =
        compareNextToken(model, ids, full.hidden->view(), fullScores, hidden->view(), work);
    FOVEA_TRY(compared);
    seconds += compared->hybridSeconds;

    result.fidelity = std::move(compared->fidelity);
    result.fidelity.depthError = std::move(depthError);
    result.hidden = std::make_shared<const Matrix>(std::move(*hidden));
    result.routing = std::move(record);
    result.cost.full = full.cost;
    arm.extraPassMacs = extraPassMacs(shape, policy, ids.size());
    countArm(arm, shape, policy, ids.size());
    arm.total = once(seconds);
    finishCost(result.cost, shape, policy, ids.size());
    return result;
}

} // namespace fovea
