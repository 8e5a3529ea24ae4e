// The hybrid arm goes router -> plan -> kernel in each layer, each on its own clock.
#include "core/engine/HybridArm.h"
#include "core/base/Stopwatch.h"
#include "core/engine/SampledRows.h"
#include "core/measure/NextToken.h"
#include "core/model/Weights.h"
#include <cmath>
#include <limits>

namespace fovea {

namespace {

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

} // namespace

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

Result<Matrix> walkHybrid(const HybridWalk& walk, const WatchLayer& watch, const WorkContext& work) {
    const ModelShape& shape = walk.model.shape;
    const WorkContext here = work.on(walk.isa);
    std::vector<float> lse(walk.keepLse ? walk.ids.size() * static_cast<std::size_t>(shape.heads) : 0);
    const Attend attendHybrid = [&](const LayerInput& in, MatrixView o) -> Result<> {
        const std::vector<float> norms = hiddenNormsFor(*walk.policy, in.x);
        const LayerTask task{shape,
                             walk.policy,
                             walk.facts,
                             in.layer,
                             -1,
                             {0, walk.ids.size()},
                             walk.isa,
                             walk.model.precision,
                             walk.states.empty() ? nullptr : walk.states[static_cast<std::size_t>(in.layer)],
                             norms};
        const AttentionInput input = attentionInputOf(walk.model, in.layer, in.q, in.k, in.v);
        const Result<HybridLayer> done = runLayer(task, input, {}, {o, lse}, here);
        FOVEA_TRY(done);
        if (watch)
            FOVEA_TRY(watch({in, done->plan, lse, *done}));
        if (!walk.progress.empty())
            here.report(std::string(walk.progress), in.layer + 1, shape.layers);
        return here.checkpoint();
    };
    return forward(walk.model, walk.ids, attendHybrid, here, walk.textTokens);
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
    double aside = 0; // record and comparison: not part of the hybrid's own time
    const HybridWalk walk{model,
                          ids,
                          withFullRun.facts,
                          std::make_shared<const AttentionPolicy>(policy),
                          withFullRun.request->isa,
                          false,
                          "hybrid attention"};
    const auto watch = [&](const WatchedLayer& layer) -> Result<> {
        const Stopwatch clock(aside, work);
        addLayer(arm, layer.run);
        if (layer.plan.routing) {
            appendRouting(*record, *layer.plan.routing, shape);
            if (layerRouted)
                layerRouted(*layer.plan.routing);
        }
        const auto at = static_cast<std::size_t>(layer.input.layer);
        if (at > 0)
            depthError.push_back(relativeDistance(full.residual[at]->view(),
                                                  rowsOf(layer.input.x, full.sampledTokens).view()));
        return {};
    };
    const WorkClock clock(work);
    Result<Matrix> hidden = walkHybrid(walk, watch, work);
    FOVEA_TRY(hidden);
    double seconds = clock.seconds() - aside;
    depthError.push_back(relativeDistance(rowsOf(full.hidden->view(), full.sampledTokens).view(),
                                          rowsOf(hidden->view(), full.sampledTokens).view()));
    if (shape.predictsTokens()) {
        const NextTokenScores fullScores{full.nll, full.logNormaliser, full.top1, 0};
        Result<NextTokenComparison> compared =
            compareNextToken(model, ids, full.hidden->view(), fullScores, hidden->view(), work);
        FOVEA_TRY(compared);
        seconds += compared->hybridSeconds;
        result.fidelity = std::move(compared->fidelity);
    } else {
        PropagatedFidelity& f = result.fidelity; // no number that could be taken for a measured one
        f.nextTokenKl = f.klP95 = f.klWorst = f.top1Agreement = f.deltaNll = f.fullMeanNll = f.hybridMeanNll =
            std::numeric_limits<double>::quiet_NaN();
        f.sentence = compareSentences(full.hidden->view(), hidden->view(), shape.pooling);
    }
    result.fidelity.depthError = std::move(depthError);
    result.hidden = std::make_shared<const Matrix>(std::move(*hidden));
    result.routing = std::move(record);
    result.cost.full = full.cost;
    arm.extraPassMacs = extraPassMacs(shape, policy, ids.size());
    countArm(arm, shape, policy, ids.size());
    arm.total = Seconds::once(seconds);
    finishCost(result.cost, shape, policy, ids.size());
    return result;
}

Result<> watchHybrid(const Snapshot& withFullRun, const AttentionPolicy& policy, const WatchLayer& watch,
                     const WorkContext& work) {
    const HybridWalk walk{*withFullRun.model,       withFullRun.tokens->ids,
                          withFullRun.facts,        std::make_shared<const AttentionPolicy>(policy),
                          withFullRun.request->isa, true,
                          "hybrid attention"};
    FOVEA_TRY(walkHybrid(walk, watch, work));
    return {};
}

Result<Matrix> runHybridHidden(const Model& model, std::span<const std::int32_t> ids,
                               std::shared_ptr<const TokenFacts> facts, const AttentionPolicy& policy,
                               Isa isa, const WorkContext& work, const WatchLayer& watch) {
    return walkHybrid({model, ids, std::move(facts), std::make_shared<const AttentionPolicy>(policy), isa},
                      watch, work);
}

} // namespace fovea
