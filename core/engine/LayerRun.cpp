#include "core/engine/LayerRun.h"
#include "core/base/Stopwatch.h"
#include "core/engine/RetrievalHeads.h"
#include "core/model/Model.h"
#include "core/model/Weights.h"
#include "core/route/Norms.h"
#include "core/route/PolicyFits.h"
#include <algorithm>

namespace fovea {

namespace {

/// Heads of one layer that do the same.
struct HeadSet {
    std::shared_ptr<const AttentionPolicy> policy;
    std::vector<int> heads;
};

/// The layer's policies with head and layer names resolved; the only one is the task's own where it mixes
/// nothing.
Result<std::vector<HeadSet>> headSets(const LayerTask& task) {
    const AttentionPolicy& whole = *task.policy;
    FOVEA_TRY(policyFits(whole, task.shape, task.facts->tokens));
    std::vector<HeadSet> sets;
    if (!whole.mixesHeads() && whole.mix.layers.empty()) {
        sets.push_back({task.policy, {}});
        return sets;
    }
    const HeadParts full;
    std::vector<std::uint8_t> fullHeads;
    if (whole.mix.fullHeads > 0) {
        if (task.facts->retrieval.size() != static_cast<std::size_t>(task.shape.layers * task.shape.heads))
            return fail(ErrorCode::BadValue,
                        "mix.full_heads needs the model's retrieval scores first; none are at hand");
        fullHeads = topHeads(task.facts->retrieval, whole.mix.fullHeads);
    }
    std::vector<const HeadParts*> known;
    for (int head = 0; head < task.shape.heads; ++head) {
        const HeadParts* parts = &whole.partsOf(task.layer, head);
        if (!fullHeads.empty() &&
            fullHeads[static_cast<std::size_t>(task.layer * task.shape.heads + head)] != 0)
            parts = &full;
        const auto same = std::find_if(known.begin(), known.end(),
                                       [&](const HeadParts* other) { return *other == *parts; });
        if (same == known.end()) {
            known.push_back(parts);
            sets.push_back({std::make_shared<const AttentionPolicy>(whole.withParts(*parts)), {head}});
        } else {
            sets[static_cast<std::size_t>(same - known.begin())].heads.push_back(head);
        }
    }
    return sets;
}

/// Routes for the heads of one set; units that none of them belongs to stay null.
Result<std::shared_ptr<const LayerRouting>> routeSet(const LayerTask& task, const HeadSet& set,
                                                     const RouteInput& input, const WorkContext& work) {
    if (!set.policy->routed.on() || set.policy->fullInLayer(task.layer))
        return std::shared_ptr<const LayerRouting>();
    if (set.heads.empty() || static_cast<int>(set.heads.size()) == task.shape.heads || task.head >= 0) {
        Result<LayerRouting> all = route(*set.policy, task.shape, input, task.rows, task.head, work);
        FOVEA_TRY(all);
        return std::make_shared<const LayerRouting>(std::move(*all));
    }
    LayerRouting joined;
    for (const int head : set.heads) {
        if (!joined.units.empty() && joined.units[joined.unitOfHead[static_cast<std::size_t>(head)]])
            continue;
        Result<LayerRouting> one = route(*set.policy, task.shape, input, task.rows, head, work);
        FOVEA_TRY(one);
        if (joined.units.empty()) {
            joined = std::move(*one);
            continue;
        }
        for (std::size_t unit = 0; unit < joined.units.size(); ++unit)
            if (one->units[unit])
                joined.units[unit] = std::move(one->units[unit]);
        joined.macs += one->macs;
    }
    return std::make_shared<const LayerRouting>(std::move(joined));
}

/// Kernel and far field of a planned layer. `recast`: its two parts, if any head recasts; `stored`: their
/// stored form.
Result<FarWork> attendPlanned(const LayerTask& task, const AttentionInput& input, const AttentionPlan& plan,
                              std::optional<RecastPlans>& recast, const StoredForm* stored,
                              AttentionOutput out, std::span<float> exactLse, const WorkContext& work) {
    const bool epilogue = hasFarField(plan);
    std::vector<float> lse;
    if ((epilogue || recast) && out.lse.empty()) {
        lse.resize(task.rows.last * static_cast<std::size_t>(input.heads));
        out.lse = lse;
    }
    FOVEA_ASSERT(task.keyRows == nullptr || !epilogue); // a far field reads every key: all are stored
    const AttentionOptions options{task.isa, task.head, task.precision};
    if (recast) {
        if (task.keyRows != nullptr)
            *recast = {onStoredKeys(recast->asMade, *task.keyRows),
                       onStoredKeys(recast->recast, *task.keyRows)};
        FOVEA_TRY(attendRecast(*recast, input, stored, task.rows, out, options, work, exactLse));
        exactLse = {};
    } else if (task.keyRows != nullptr) {
        FOVEA_TRY(attend(onStoredKeys(plan, *task.keyRows), input, out, options, work));
    } else {
        FOVEA_TRY(attend(plan, input, out, options, work));
    }
    if (epilogue) {
        const FarTask far{plan, task.rows, task.head, task.isa, task.state ? &task.state->far : nullptr};
        return applyFarField(far, input, out, exactLse, work);
    }
    if (!exactLse.empty())
        std::copy(out.lse.begin(), out.lse.end(), exactLse.begin());
    return FarWork{};
}

} // namespace

AttentionInput attentionInputOf(const Model& model, ConstMatrixView q, ConstMatrixView k, ConstMatrixView v) {
    const ModelShape& shape = model.shape;
    return {q,
            k,
            v,
            shape.heads,
            shape.kvHeads,
            shape.headDim,
            shape.attentionScale(),
            0,
            model.weights ? std::span<const double>(model.weights->ropeFrequencies)
                          : std::span<const double>()};
}

std::vector<float> hiddenNormsFor(const AttentionPolicy& policy, ConstMatrixView x) {
    return policy.routesBy("hidden_norm") ? rowNorms(x, x.rows, 1) : std::vector<float>();
}

Result<HybridLayer> runLayer(const LayerTask& task, const AttentionInput& input,
                             std::span<const float> fullLse, AttentionOutput out, const WorkContext& work,
                             std::span<float> exactLse) {
    HybridLayer layer;
    const Result<std::vector<HeadSet>> sets = headSets(task);
    FOVEA_TRY(sets);
    RouteInput routeInput{task.layer, input.q, input.k, input.v, fullLse, task.facts.get(), task.hiddenNorm};
    if (task.state)
        routeInput.kept = &task.state->router;
    const auto isAsked = [&](const HeadSet& set) {
        return task.head < 0 || set.heads.empty() ||
               std::find(set.heads.begin(), set.heads.end(), task.head) != set.heads.end();
    };
    StoredForm ownForm;
    StoredForm& stored = task.state ? task.state->stored : ownForm;
    const bool storesForm = std::any_of(sets->begin(), sets->end(), [&](const HeadSet& set) {
        return isAsked(set) && set.policy->routed.storesDirections() && !set.policy->fullInLayer(task.layer);
    });
    if (storesForm) {
        const Stopwatch watch(layer.attentionSeconds);
        stored.take(input, task.rows.first, work.threads);
        routeInput.storedK = stored.keys();
    }
    std::vector<AttentionPlan> plans;
    std::vector<std::size_t> setOf(static_cast<std::size_t>(task.shape.heads), 0);
    for (const HeadSet& set : *sets) {
        for (const int head : set.heads)
            setOf[static_cast<std::size_t>(head)] = plans.size();
        const bool asked = isAsked(set);
        std::shared_ptr<const LayerRouting> routing;
        if (asked) {
            const Stopwatch watch(layer.routerSeconds);
            Result<std::shared_ptr<const LayerRouting>> routed = routeSet(task, set, routeInput, work);
            FOVEA_TRY(routed);
            routing = std::move(*routed);
        }
        const Stopwatch watch(layer.planSeconds);
        // A set that was not asked for plans no rows, so nothing need be routed for it.
        const RowRange rows = asked ? task.rows : RowRange{task.rows.first, task.rows.first};
        std::shared_ptr<const AttentionPolicy> policy = set.policy;
        if (!asked && policy->routed.on()) {
            auto unrouted = std::make_shared<AttentionPolicy>(*policy);
            unrouted->routed = {};
            policy = std::move(unrouted);
        }
        Result<AttentionPlan> plan = makePlan(policy, task.shape, task.layer, task.facts, routing, rows);
        FOVEA_TRY(plan);
        plans.push_back(std::move(*plan));
    }
    if (plans.size() == 1) {
        layer.plan = std::move(plans.front());
        layer.plan.policy = task.policy;
        if (!sets->front().heads.empty())
            layer.plan.ofHead.assign(setOf.size(), sets->front().policy);
    } else {
        layer.plan = joinPlans(task.policy, plans, setOf);
    }
    std::optional<RecastPlans> recast;
    {
        const Stopwatch watch(layer.planSeconds);
        recast = splitRecast(layer.plan);
    }
    {
        // In a scope of its own: a watch that outlives the return would add its seconds to a layer already
        // moved from.
        const Stopwatch watch(layer.attentionSeconds);
        const Result<FarWork> far = attendPlanned(task, input, layer.plan, recast,
                                                  storesForm ? &stored : nullptr, out, exactLse, work);
        FOVEA_TRY(far);
        layer.far = *far;
    }
    return layer;
}

} // namespace fovea
