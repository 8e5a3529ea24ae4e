#include "core/engine/PairCounts.h"
#include "core/engine/EncoderLayer.h"
#include <algorithm>

namespace fovea {

namespace {

/// Adds a plan's heads (all, or one) and full attention's pairs over the same rows.
void addPlan(const AttentionPlan& plan, const ModelShape& shape, int head, PairCounts& counts) {
    for (std::size_t h = 0; h < plan.heads.size(); ++h) {
        if (head >= 0 && static_cast<std::size_t>(head) != h)
            continue;
        const HeadPlan& one = *plan.heads[h];
        for (std::size_t reason = 0; reason < counts.pairs.size(); ++reason)
            counts.pairs[reason] += one.pairsByReason[reason];
        counts.fullPairs += modelPairs(shape, plan.layer, one.rows, plan.facts->tokens);
        counts.rows = one.rows;
    }
}

/// How many heads a choice for `head` serves.
std::size_t sharers(const LayerRouting& routing, int head) {
    const Unit* unit = head >= 0 ? routing.unitOf(head) : nullptr;
    return unit != nullptr ? unit->heads.size() : 1;
}

/// Does the plan of a layer follow from policy and text alone?
bool needsNoScores(const AttentionPolicy& policy) {
    return !policy.anyParts(
        [](const HeadParts& parts) { return parts.routed.on() || parts.far.far == Far::Summaries; });
}

/// The layer's plan over all rows without a router; empty where the policy does not fit.
std::optional<PairCounts> plannedLayer(const Snapshot& snapshot, AttentionPolicy policy, int layer) {
    const ModelShape& shape = snapshot.model->shape;
    const auto shared = std::make_shared<const AttentionPolicy>(std::move(policy));
    const auto plan =
        shape.causal ? makePlan(shared, shape, layer, snapshot.facts, nullptr, {0, snapshot.tokens->size()})
                     : planOfEncoderLayer(shared, shape, layer, snapshot.facts);
    if (!plan || plan->heads.empty())
        return {};
    PairCounts counts;
    counts.layer = layer;
    addPlan(*plan, snapshot.model->shape, -1, counts);
    return counts;
}

PairCounts allLayers(const Snapshot& snapshot) {
    const ModelShape& shape = snapshot.model->shape;
    const IsolatedResult& isolated = *snapshot.isolated;
    PairCounts counts;
    counts.scope = PairScope::AllLayers;
    counts.rows = {0, snapshot.tokens->size()};
    counts.pairs = isolated.pairsByReason;
    counts.fullPairs = modelPairs(shape, snapshot.tokens->size());
    counts.routerPairs = static_cast<double>(isolated.cost.hybrid.routerMacs) / (2.0 * shape.headDim);
    counts.statePairs = static_cast<double>(isolated.cost.hybrid.farMacs) / (2.0 * shape.headDim);
    return counts;
}

} // namespace

bool PairCounts::readsEveryPair() const {
    return fullPairs > 0 && pairs[0] + pairs[1] + pairs[2] >= fullPairs;
}

double PairCounts::share() const {
    double sum = routerPairs + statePairs;
    for (const std::uint64_t count : pairs)
        sum += static_cast<double>(count);
    return fullPairs > 0 ? sum / static_cast<double>(fullPairs) : 0;
}

std::optional<PairCounts> countPairs(const Snapshot& snapshot) {
    if (!snapshot.tokens || !snapshot.model || !snapshot.facts || !snapshot.request)
        return {};
    if (snapshot.isolated && snapshot.isolated->complete)
        return allLayers(snapshot);
    const AttentionPolicy& policy = snapshot.request->policy;
    const VisibleLayer* visible = snapshot.visible.get();
    if (visible == nullptr || !visible->plan || visible->plan->heads.empty()) {
        AttentionPolicy unrouted = policy;
        if (snapshot.model->shape.causal) // in an encoder it says BigBird's blocks, which no router chooses
            unrouted.eachParts([](HeadParts& parts) { parts.routed = {}; });
        const int layer = std::clamp(snapshot.request->visible.layer, 0, snapshot.model->shape.layers - 1);
        std::optional<PairCounts> counts = plannedLayer(snapshot, std::move(unrouted), layer);
        if (counts)
            counts->scope = needsNoScores(policy) ? PairScope::Layer : PairScope::Unrouted;
        return counts;
    }
    const double perPair = 2.0 * snapshot.model->shape.headDim;
    const bool part = visible->head >= 0 || !visible->coversText(0);
    if (part && needsNoScores(policy)) {
        std::optional<PairCounts> counts = plannedLayer(snapshot, policy, visible->layer);
        const RowRange run = visible->coveredRows(std::max(visible->head, 0));
        if (counts && run.last > run.first) {
            // A state's work is the same in every row and head.
            const double heads = visible->head >= 0 ? snapshot.model->shape.heads : 1;
            counts->statePairs = static_cast<double>(visible->far.macs) / perPair * heads *
                                 static_cast<double>(snapshot.tokens->size()) /
                                 static_cast<double>(run.last - run.first);
            return counts;
        }
    }
    PairCounts counts;
    counts.scope = part ? PairScope::RowsInView : PairScope::Layer;
    counts.layer = visible->layer;
    counts.head = visible->head;
    addPlan(*visible->plan, snapshot.model->shape, visible->head, counts);
    counts.pairs[static_cast<std::size_t>(Reason::Far)] += visible->far.entries;
    counts.statePairs = static_cast<double>(visible->far.macs) / perPair;
    if (visible->plan->routing)
        counts.routerPairs = static_cast<double>(visible->plan->routing->macs) / perPair /
                             static_cast<double>(sharers(*visible->plan->routing, visible->head));
    return counts;
}

} // namespace fovea
