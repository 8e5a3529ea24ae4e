#include "core/engine/LayerRun.h"
#include "core/base/Stopwatch.h"

namespace fovea {

Result<HybridLayer> runLayer(const LayerTask& task, const AttentionInput& input,
                             std::span<const float> fullLse, AttentionOutput out, const WorkContext& work) {
    HybridLayer layer;
    std::shared_ptr<const LayerRouting> routing;
    if (task.policy->routed.on() && !task.policy->fullInLayer(task.layer)) {
        const Stopwatch watch(layer.routerSeconds);
        const RouteInput routeInput{task.layer, input.q, input.k, input.v, fullLse, task.facts.get()};
        Result<LayerRouting> chosen =
            route(*task.policy, task.shape, routeInput, task.rows, task.head, work);
        FOVEA_TRY(chosen);
        routing = std::make_shared<const LayerRouting>(std::move(*chosen));
    }
    {
        const Stopwatch watch(layer.planSeconds);
        Result<AttentionPlan> plan =
            makePlan(task.policy, task.shape, task.layer, task.facts, routing, task.rows);
        FOVEA_TRY(plan);
        layer.plan = std::move(*plan);
    }
    {
        const Stopwatch watch(layer.attentionSeconds);
        FOVEA_TRY(attend(layer.plan, input, out, {task.isa, task.head}, work));
    }
    return layer;
}

} // namespace fovea
