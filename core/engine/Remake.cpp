#include "core/engine/Remake.h"
#include "core/base/Stopwatch.h"
#include "core/engine/LayerRun.h"
#include "core/measure/Fidelity.h"
#include "core/route/Norms.h"
#include <algorithm>
#include <utility>

namespace fovea {

Result<std::shared_ptr<LayerActivations>> attendFullLayer(const Model& model, const Request& request,
                                                          const LayerInput& in, MatrixView o,
                                                          const AttentionPlan& plan, const WorkContext& work,
                                                          double& attentionSeconds) {
    const auto heads = static_cast<std::size_t>(model.shape.heads);
    auto layer = std::make_shared<LayerActivations>();
    layer->lse.resize(in.q.rows * heads);
    const AttentionInput input = attentionInputOf(model, in.layer, in.q, in.k, in.v);
    AttentionCells cells;
    if (request.headStats) {
        cells = makeCells(model.shape.heads, in.q.rows, cellFor(in.q.rows, kPictureCells), input.window);
        cells.later = input.later;
    }
    {
        const Stopwatch watch(attentionSeconds, work);
        // The kernel pools cells up to the diagonal; an encoder has cells on both sides of it.
        const bool pools = request.headStats && model.shape.causal;
        const AttentionOutput out{o, layer->lse, pools ? &cells : nullptr};
        FOVEA_TRY(attend(plan, input, out, {request.isa, -1, model.precision}, work));
    }
    if (request.headStats && !model.shape.causal)
        fillCellRows(input, layer->lse, 0, cells);
    if (request.headStats)
        layer->picture = pooledTo(cells, kPictureCells);
    return layer;
}

void keepActivations(LayerActivations& layer, const Model& model, const LayerInput& in, ConstMatrixView o,
                     int threads) {
    layer.q = copyOf(in.q);
    layer.k = copyOf(in.k);
    layer.v = copyOf(in.v);
    layer.hiddenNorm = rowNorms(in.x, in.x.rows, 1);
    layer.o = copyOf(o);
    layer.projected = projectedNorm(model, in.layer, layer.o.view(), threads);
}

Result<> remakeLayers(const Snapshot& withFullRun, int last, const SeeLayer& see, const WorkContext& work) {
    const Model& model = *withFullRun.model;
    Request request = *withFullRun.request;
    request.headStats = false; // known already
    const FullRun& full = *withFullRun.full;
    const std::size_t tokens = withFullRun.tokens->size();
    const WorkContext here = work.on(request.isa);
    bool enough = false;
    double seconds = 0;
    const Attend attendAgain = [&](const LayerInput& in, MatrixView o) -> Result<> {
        std::shared_ptr<const LayerActivations> layer;
        if (full.has(in.layer)) {
            layer = full.layers[static_cast<std::size_t>(in.layer)];
            for (std::size_t t = 0; t < tokens; ++t)
                std::copy_n(layer->o.view().row(t), o.cols, o.row(t));
        } else {
            const AttentionPlan plan = modelPlan(model.shape, in.layer, tokens);
            auto made = attendFullLayer(model, request, in, o, plan, here, seconds);
            FOVEA_TRY(made);
            keepActivations(**made, model, in, o, work.threads);
            if (const auto picture = full.picture(in.layer)) // pooled in the full run
                (*made)->picture = *picture;
            layer = std::move(*made);
        }
        FOVEA_TRY(see(in.layer, std::move(layer)));
        work.report("layers again", in.layer + 1, model.shape.layers);
        enough = in.layer == last;
        if (enough)
            return fail(ErrorCode::Cancelled, "no further layer is needed");
        return work.checkpoint();
    };
    const Result<Matrix> hidden = forward(model, withFullRun.tokens->ids, attendAgain, here);
    if (!hidden && !enough)
        return tl::make_unexpected(hidden.error());
    return {};
}

Result<> eachLayer(const Snapshot& withFullRun, const SeeLayer& see, const WorkContext& work) {
    const auto& layers = withFullRun.full->layers;
    if (!withFullRun.full->keepsAll())
        return remakeLayers(withFullRun, withFullRun.model->shape.layers - 1, see, work);
    for (std::size_t l = 0; l < layers.size(); ++l) {
        FOVEA_TRY(work.checkpoint());
        FOVEA_TRY(see(static_cast<int>(l), layers[l]));
    }
    return {};
}

Snapshot withLayer(const Snapshot& snapshot, int layer, std::shared_ptr<const LayerActivations> activations) {
    Snapshot with = snapshot;
    auto full = std::make_shared<FullRun>(*snapshot.full);
    full->layers[static_cast<std::size_t>(layer)] = std::move(activations);
    with.full = std::move(full);
    return with;
}

} // namespace fovea
