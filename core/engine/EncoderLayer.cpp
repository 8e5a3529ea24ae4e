#include "core/engine/EncoderLayer.h"
#include "core/base/Stopwatch.h"
#include "core/kernels/Branch.h"
#include "core/plan/BidirectionalPlan.h"
#include <algorithm>

namespace fovea {

Matrix meansOfRows(ConstMatrixView x, std::size_t m) {
    Matrix means((x.rows + m - 1) / m, x.cols);
    for (std::size_t first = 0; first < x.rows; first += m) {
        const std::size_t last = std::min(first + m, x.rows);
        float* mean = means.view().row(first / m);
        for (std::size_t r = first; r < last; ++r)
            for (std::size_t c = 0; c < x.cols; ++c)
                mean[c] += x(r, c) / static_cast<float>(last - first);
    }
    return means;
}

namespace {

/// The policy of one layer, with layer names resolved.
std::shared_ptr<const AttentionPolicy> ownPolicy(const AttentionPolicy& policy, int layer) {
    return std::make_shared<const AttentionPolicy>(
        policy.fullInLayer(layer) ? AttentionPolicy{} : policy.withParts(policy.partsOf(layer, 0)));
}

/// A plan that reads no key: what stands for all of them is a projection.
AttentionPlan planOfProjection(const LayerTask& task, std::shared_ptr<const AttentionPolicy> policy) {
    AttentionPlan plan;
    plan.layer = task.layer;
    plan.policy = std::move(policy);
    plan.facts = task.facts;
    HeadPlan nothing;
    nothing.tokens = task.facts->tokens;
    nothing.rows = {0, task.facts->tokens};
    nothing.native.later = true;
    plan.heads.assign(static_cast<std::size_t>(task.shape.heads),
                      std::make_shared<const HeadPlan>(std::move(nothing)));
    return plan;
}

Result<FarWork> attendProjected(const LayerTask& task, const AttentionInput& input, std::size_t m,
                                AttentionOutput out, const WorkContext& work) {
    const Matrix k = meansOfRows(input.k, m), v = meansOfRows(input.v, m);
    AttentionInput projected = input;
    projected.k = k.view();
    projected.v = v.view();
    const auto heads = static_cast<std::size_t>(task.shape.heads);
    AttentionPlan plan;
    plan.layer = task.layer;
    plan.heads.assign(heads, std::make_shared<const HeadPlan>(projectedPlan(input.q.rows, k.rows())));
    FOVEA_TRY(attend(plan, projected, out, {task.isa, task.head, task.precision}, work));
    FarWork far;
    far.entries = (task.head < 0 ? heads : 1) * input.q.rows * k.rows();
    far.macs = 2 * static_cast<std::uint64_t>(input.k.rows) * input.k.cols; // of the means
    far.stateBytes = 2 * k.rows() * k.cols() * sizeof(float);
    return far;
}

/// The log-sum-exp with every key counted once.
Result<> lseOfKeysOnce(const AttentionPlan& plan, const LayerTask& task, const AttentionInput& input,
                       std::span<float> lse, const WorkContext& work) {
    AttentionPlan once = plan;
    for (std::shared_ptr<const HeadPlan>& head : once.heads) {
        auto copy = std::make_shared<HeadPlan>(*head);
        for (PlanItem& item : copy->items)
            item.multiplicity = 1;
        head = std::move(copy);
    }
    Matrix output(input.q.rows, input.q.cols);
    return attend(once, input, {output.view(), lse}, {task.isa, task.head, task.precision}, work);
}

} // namespace

Result<AttentionPlan> planOfEncoderLayer(const std::shared_ptr<const AttentionPolicy>& policy,
                                         const ModelShape& shape, int layer,
                                         std::shared_ptr<const TokenFacts> facts) {
    return makeBidirectionalPlan(ownPolicy(*policy, layer), shape, layer, std::move(facts));
}

bool repeatsKeys(const AttentionPlan& plan) {
    return std::any_of(plan.heads.begin(), plan.heads.end(),
                       [](const std::shared_ptr<const HeadPlan>& head) { return head->repeats(); });
}

Result<HybridLayer> runEncoderLayer(const LayerTask& task, const AttentionInput& input, AttentionOutput out,
                                    const WorkContext& work, std::span<float> exactLse) {
    HybridLayer layer;
    const auto own = ownPolicy(*task.policy, task.layer);
    const bool projects = own->far.far == Far::Projection;
    {
        const Stopwatch watch(layer.planSeconds, work);
        if (projects) {
            layer.plan = planOfProjection(task, own);
        } else {
            Result<AttentionPlan> plan = makeBidirectionalPlan(own, task.shape, task.layer, task.facts);
            FOVEA_TRY(plan);
            layer.plan = std::move(*plan);
        }
    }
    {
        const Stopwatch watch(layer.attentionSeconds, work);
        if (projects) {
            const Result<FarWork> far =
                attendProjected(task, input, static_cast<std::size_t>(own->far.m), out, work);
            FOVEA_TRY(far);
            layer.far = *far;
        } else {
            FOVEA_TRY(attend(layer.plan, input, out, {task.isa, task.head, task.precision}, work));
        }
    }
    if (projects)
        std::fill(exactLse.begin(), exactLse.end(), kNoMass);
    else if (!exactLse.empty() && repeatsKeys(layer.plan))
        FOVEA_TRY(lseOfKeysOnce(layer.plan, task, input, exactLse, work));
    else if (!exactLse.empty())
        std::copy(out.lse.begin(), out.lse.end(), exactLse.begin());
    return layer;
}

} // namespace fovea
