#include "core/engine/HybridWatch.h"
#include "core/engine/LayerRun.h"
#include "core/model/Weights.h"

namespace fovea {

Result<> watchHybrid(const Snapshot& snapshot, const AttentionPolicy& policy, const WatchLayer& watch,
                     const WorkContext& work) {
    const ModelShape& shape = snapshot.model->shape;
    const std::size_t tokens = snapshot.tokens->size();
    const auto shared = std::make_shared<const AttentionPolicy>(policy);
    std::vector<float> lse(tokens * static_cast<std::size_t>(shape.heads));
    const Attend attendAndShow = [&](const LayerInput& in, MatrixView o) -> Result<> {
        const std::vector<float> norms = hiddenNormsFor(policy, in.x);
        const LayerTask task{shape,   shared,      snapshot.facts,        in.layer,
                             -1,      {0, tokens}, snapshot.request->isa, snapshot.model->precision,
                             nullptr, norms};
        const AttentionInput input = attentionInputOf(*snapshot.model, in.q, in.k, in.v);
        const Result<HybridLayer> done = runLayer(task, input, {}, {o, lse}, work);
        FOVEA_TRY(done);
        FOVEA_TRY(watch({in, done->plan, lse}));
        work.report("hybrid attention", in.layer + 1, shape.layers);
        return work.checkpoint();
    };
    FOVEA_TRY(forward(*snapshot.model, snapshot.tokens->ids, attendAndShow, work));
    return {};
}

} // namespace fovea
