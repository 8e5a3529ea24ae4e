#include "core/engine/LayerRun.h"
#include "core/base/Stopwatch.h"
#include "core/engine/EncoderLayer.h"
#include "core/model/Model.h"
#include "core/model/Weights.h"
#include "core/policy/SignalSpec.h"
#include "core/route/Norms.h"
#include "core/route/RangeRoute.h"
#include "core/route/Router.h"
#include <algorithm>
#include <iterator>
#include <omp.h>

namespace fovea {

namespace {

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
    if (!exactLse.empty()) {
        const auto heads = static_cast<std::size_t>(input.heads);
        const auto begin = static_cast<std::ptrdiff_t>(task.rows.first * heads);
        const auto end = static_cast<std::ptrdiff_t>(task.rows.last * heads);
        std::copy(out.lse.begin() + begin, out.lse.begin() + end, exactLse.begin() + begin);
    }
    return FarWork{};
}

} // namespace

AttentionInput attentionInputOf(const Model& model, int layer, ConstMatrixView q, ConstMatrixView k,
                                ConstMatrixView v) {
    const ModelShape& shape = model.shape;
    const LogitForm form = logitForm(shape, layer);
    return {q,
            k,
            v,
            shape.heads,
            shape.kvHeads,
            shape.headDim,
            form.scale,
            0,
            model.weights ? model.weights->ropeFrequencies(layer, q.rows) : std::span<const double>(),
            form.softCap,
            nativeWindow(shape, layer).window,
            !shape.causal};
}

std::vector<float> hiddenNormsFor(const AttentionPolicy& policy, ConstMatrixView x) {
    return needs(policy, Needs::HiddenNorm) ? rowNorms(x, x.rows, 1) : std::vector<float>();
}

Result<HybridLayer> runLayer(const LayerTask& task, const AttentionInput& input,
                             std::span<const float> fullLse, AttentionOutput out, const WorkContext& work,
                             std::span<float> exactLse) {
    if (!task.shape.causal)
        return runEncoderLayer(task, input, out, work, exactLse);
    HybridLayer layer;
    std::vector<LayerPolicy> sets;
    {
        const Stopwatch watch(layer.planSeconds, work);
        Result<std::vector<LayerPolicy>> made =
            layerPolicies(task.policy, task.shape, task.layer, *task.facts);
        FOVEA_TRY(made);
        sets = std::move(*made);
    }
    RouteInput routeInput{task.layer, input.q, input.k, input.v, fullLse, task.facts.get(), task.hiddenNorm};
    if (task.state)
        routeInput.kept = &task.state->router;
    const auto isAsked = [&](const LayerPolicy& set) { return task.head < 0 || set.has(task.head); };
    StoredForm ownForm;
    StoredForm& stored = task.state ? task.state->stored : ownForm;
    const bool storesForm = std::any_of(sets.begin(), sets.end(), [&](const LayerPolicy& set) {
        return isAsked(set) && set.policy->routed.storesDirections() && !set.policy->readsAll();
    });
    if (storesForm) {
        const Stopwatch watch(layer.attentionSeconds, work);
        stored.take(input, task.rows.first, work.threads);
        routeInput.storedK = stored.keys();
    }
    auto routing = std::make_shared<LayerRouting>();
    routing->layer = task.layer;
    for (const LayerPolicy& set : sets) {
        if (!isAsked(set))
            continue;
        const Stopwatch watch(layer.routerSeconds, work);
        Result<LayerRouting> routed =
            route(set, task.shape, routeInput, task.rows, task.head, work.on(task.isa));
        FOVEA_TRY(routed);
        std::move(routed->units.begin(), routed->units.end(), std::back_inserter(routing->units));
        routing->macs += routed->macs;
    }
    {
        const Stopwatch watch(layer.planSeconds, work);
        layer.plan = makePlan(task.policy, std::move(sets), task.shape, task.layer, task.facts,
                              routing->units.empty() ? nullptr : std::move(routing), task.rows, task.head,
                              work.threads > 0 ? work.threads : omp_get_max_threads());
    }
    std::optional<RecastPlans> recast;
    {
        const Stopwatch watch(layer.planSeconds, work);
        recast = splitRecast(layer.plan);
    }
    {
        // In a scope of its own: a watch that outlives the return would add its seconds to a layer already
        // moved from.
        const Stopwatch watch(layer.attentionSeconds, work);
        const Result<FarWork> far = attendPlanned(task, input, layer.plan, recast,
                                                  storesForm ? &stored : nullptr, out, exactLse, work);
        FOVEA_TRY(far);
        layer.far = *far;
    }
    return layer;
}

Result<std::uint64_t> runLayerRows(const LayerTask& task, const AttentionInput& input,
                                   std::span<const float> fullLse, std::span<const RowRange> ranges,
                                   AttentionOutput out, std::span<float> exactLse, const SeeRows& see,
                                   const WorkContext& work) {
    FOVEA_ASSERT(task.shape.causal && task.keyRows == nullptr && !out.lse.empty());
    const Result<std::vector<LayerPolicy>> sets =
        layerPolicies(task.policy, task.shape, task.layer, *task.facts);
    FOVEA_TRY(sets);
    const WorkContext here = work.on(task.isa);
    LayerTask part = task;
    part.head = -1;
    part.state = std::make_shared<LayerState>();
    RouteInput routeInput{task.layer, input.q, input.k, input.v, fullLse, task.facts.get(), task.hiddenNorm};
    const bool storesForm = std::any_of(sets->begin(), sets->end(), [](const LayerPolicy& set) {
        return set.policy->routed.storesDirections() && !set.policy->readsAll();
    });
    if (storesForm) {
        part.state->stored.take(input, 0, work.threads);
        routeInput.storedK = part.state->stored.keys();
    }
    LayerRouting whole;                             // choices that take the whole text
    std::vector<LayerRouting> apart(ranges.size()); // of sets of keys, for each range
    std::uint64_t macs = 0;
    for (const LayerPolicy& set : *sets) {
        if (routesRowByRow(set)) {
            macs += routerMacs(set, task.shape, routeInput, {0, task.facts->tokens}, task.isa);
            continue;
        }
        if (choosesSetsAlone(set)) {
            Result<std::vector<LayerRouting>> routed = routeRanges(set, task.shape, routeInput, ranges, here);
            FOVEA_TRY(routed);
            for (std::size_t n = 0; n < routed->size(); ++n) {
                macs += (*routed)[n].macs;
                std::move((*routed)[n].units.begin(), (*routed)[n].units.end(),
                          std::back_inserter(apart[n].units));
            }
            continue;
        }
        Result<LayerRouting> routed = route(set, task.shape, routeInput, {0, task.facts->tokens}, -1, here);
        FOVEA_TRY(routed);
        std::move(routed->units.begin(), routed->units.end(), std::back_inserter(whole.units));
        macs += routed->macs;
    }
    routeInput.kept = &part.state->router;
    for (std::size_t n = 0; n < ranges.size(); ++n) {
        const RowRange rows = ranges[n];
        part.rows = rows;
        auto routing = std::make_shared<LayerRouting>(whole);
        routing->layer = task.layer;
        std::move(apart[n].units.begin(), apart[n].units.end(), std::back_inserter(routing->units));
        for (const LayerPolicy& set : *sets) {
            if (!routesRowByRow(set))
                continue;
            Result<LayerRouting> routed = route(set, task.shape, routeInput, rows, -1, here);
            FOVEA_TRY(routed);
            std::move(routed->units.begin(), routed->units.end(), std::back_inserter(routing->units));
        }
        HybridLayer layer;
        layer.plan = makePlan(task.policy, *sets, task.shape, task.layer, task.facts,
                              routing->units.empty() ? nullptr : std::move(routing), rows);
        std::optional<RecastPlans> recast = splitRecast(layer.plan);
        const Result<FarWork> far = attendPlanned(
            part, input, layer.plan, recast, storesForm ? &part.state->stored : nullptr, out, exactLse, work);
        FOVEA_TRY(far);
        layer.far = *far;
        FOVEA_TRY(see(rows, layer));
        FOVEA_TRY(work.checkpoint());
    }
    return macs;
}

} // namespace fovea
