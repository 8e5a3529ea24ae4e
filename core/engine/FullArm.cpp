#include "core/engine/FullArm.h"
#include "core/base/Stopwatch.h"
#include "core/engine/LayerRun.h"
#include "core/engine/Remake.h"
#include "core/engine/SampledRows.h"
#include "core/measure/NextToken.h"
#include "core/model/Forward.h"
#include "core/model/Weights.h"
#include <algorithm>

namespace fovea {

namespace {

constexpr std::size_t kSampledTokens = 256;
constexpr std::size_t kStatRows = 64;

std::vector<std::uint32_t> evenlySpaced(std::size_t tokens, std::size_t count) {
    count = std::min(count, tokens);
    std::vector<std::uint32_t> rows(count);
    for (std::size_t r = 0; r < count; ++r)
        rows[r] = static_cast<std::uint32_t>((r + 1) * tokens / count - 1);
    return rows;
}

} // namespace

Result<std::shared_ptr<const FullRun>>
runFull(const Model& model, const Tokens& tokens, const Request& request,
        const std::function<void(const FullRun& soFar, int layer)>& layerDone, const WorkContext& work,
        const std::function<bool(int layer)>& keeps) {
    const ModelShape& shape = model.shape;
    const WorkContext here = work.on(request.isa);
    auto run = std::make_shared<FullRun>();
    run->sampledTokens = evenlySpaced(tokens.size(), kSampledTokens);
    double aside = 0; // copies, statistics and deliveries: not part of full attention's own time
    double attention = 0;
    const WorkClock clock(work);
    const Attend attendFull = [&](const LayerInput& in, MatrixView o) -> Result<> {
        const AttentionPlan plan = modelPlan(shape, in.layer, tokens.size());
        const double before = attention;
        const WorkClock whole(work);
        auto made = attendFullLayer(model, request, in, o, plan, here, attention);
        aside += whole.seconds() - (attention - before); // making cells and the picture
        FOVEA_TRY(made);
        LayerActivations& layer = **made;
        const Stopwatch watch(aside, work);
        run->cost.pairs += plan.pairs();
        run->cost.pairsComputed += plan.pairsComputed();
        run->residual.push_back(std::make_shared<const Matrix>(rowsOf(in.x, run->sampledTokens)));
        if (request.headStats)
            run->headStats.push_back(measureHeads(attentionInputOf(model, in.layer, in.q, in.k, in.v),
                                                  layer.lse, kStatRows, request.isa, work.threads));
        const bool kept = !keeps || keeps(in.layer);
        if (kept)
            keepActivations(layer, model, in, o, work.threads);
        run->layers.push_back(std::move(*made));
        if (!kept)
            run->drop(in.layer);
        work.report("full attention", in.layer + 1, shape.layers);
        if (layerDone)
            layerDone(*run, in.layer);
        return work.checkpoint();
    };
    Result<Matrix> hidden = forward(model, tokens.ids, attendFull, here);
    FOVEA_TRY(hidden);
    double seconds = clock.seconds() - aside;
    run->hidden = std::make_shared<const Matrix>(std::move(*hidden));
    if (shape.predictsTokens()) {
        Result<NextTokenScores> scores = scoreText(model, tokens.ids, run->hidden->view(), work);
        FOVEA_TRY(scores);
        seconds += scores->seconds;
        run->nll = std::move(scores->nll);
        run->logNormaliser = std::move(scores->logNormaliser);
        run->top1 = std::move(scores->top1);
    }
    countArm(run->cost, shape, AttentionPolicy{}, tokens.size());
    run->cost.total = Seconds::once(seconds);
    run->cost.attention = Seconds::once(attention);
    run->cost.router = Seconds::once(0);
    run->cost.plan = Seconds::once(0);
    run->complete = true;
    return std::shared_ptr<const FullRun>(std::move(run));
}

} // namespace fovea
