#include "core/engine/HybridWatch.h"
#include "core/kernels/Attention.h"
#include "core/route/Router.h"

namespace fovea {

Result<> watchHybrid(const Snapshot& snapshot, const AttentionPolicy& policy, const WatchLayer& watch,
                     const WorkContext& work) {
    const ModelShape& shape = snapshot.model->shape;
    const std::size_t tokens = snapshot.tokens->size();
    const auto shared = std::make_shared<const AttentionPolicy>(policy);
    std::vector<float> lse(tokens * static_cast<std::size_t>(shape.heads));
    const Attend attendAndShow = [&](const LayerInput& in, MatrixView o) -> Result<> {
        std::shared_ptr<const LayerRouting> routing;
        if (policy.routed.on() && !policy.fullInLayer(in.layer)) {
            Result<LayerRouting> chosen = route(
                policy, shape, {in.layer, in.q, in.k, in.v, {}, snapshot.facts.get()}, {0, tokens}, -1, work);
            FOVEA_TRY(chosen);
            routing = std::make_shared<const LayerRouting>(std::move(*chosen));
        }
        Result<AttentionPlan> plan = makePlan(shared, shape, in.layer, snapshot.facts, routing, {0, tokens});
        FOVEA_TRY(plan);
        const AttentionInput input{
            in.q, in.k, in.v, shape.heads, shape.kvHeads, shape.headDim, shape.attentionScale()};
        FOVEA_TRY(attend(*plan, input, {o, lse}, {snapshot.request->isa, -1}, work));
        FOVEA_TRY(watch({in, *plan, lse}));
        work.report("hybrid attention", in.layer + 1, shape.layers);
        return work.checkpoint();
    };
    FOVEA_TRY(forward(*snapshot.model, snapshot.tokens->ids, attendAndShow, work));
    return {};
}

} // namespace fovea
