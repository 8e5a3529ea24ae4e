#include "core/plan/AttentionPlan.h"
#include "core/base/Check.h"
#include "core/plan/BidirectionalPlan.h"
#include "core/plan/PlanBuilder.h"
#include "core/route/PolicyFits.h"
#include <algorithm>

namespace fovea {

namespace {

constexpr std::uint64_t bit(std::size_t lane) {
    return std::uint64_t{1} << lane;
}

/// Lane of `query` in `block`, or none.
std::size_t laneOf(const HeadPlan& plan, const QueryBlock& block, std::size_t query) {
    if (block.queryList < 0) {
        const std::size_t lane = query - block.queryBegin;
        return query >= block.queryBegin && lane < block.queryCount && (block.activeLanes & bit(lane)) != 0
                   ? lane
                   : kBlock;
    }
    const auto first = plan.queryLists.begin() + block.queryList;
    const auto last = first + block.queryCount;
    const auto found = std::lower_bound(first, last, static_cast<std::uint32_t>(query));
    return found != last && *found == query ? static_cast<std::size_t>(found - first) : kBlock;
}

std::shared_ptr<const HeadPlan> fullHeadPlan(std::size_t tokens, RowRange rows) {
    AlwaysReads nothing;
    nothing.bits.assign((tokens + kBlock - 1) / kBlock, 0);
    nothing.queryRole.assign(tokens, 0);
    const LocalReads everything{LocalPart{}};
    return std::make_shared<const HeadPlan>(PlanBuilder(everything, nothing, nullptr, tokens, rows).build());
}

} // namespace

std::vector<std::uint32_t> HeadPlan::keysOf(std::size_t query) const {
    std::vector<std::uint32_t> keys;
    for (const QueryBlock& block : blocks) {
        const std::size_t lane = laneOf(*this, block, query);
        if (lane == kBlock)
            continue;
        for (std::size_t i = block.itemBegin; i < block.itemEnd; ++i) {
            const PlanItem& item = items[i];
            if (item.kind == ItemKind::Gather) {
                for (std::size_t g = item.data; g < item.data + item.count; ++g)
                    if ((gatherLanes[g] & bit(lane)) != 0)
                        keys.push_back(gatherKeys[g]);
                continue;
            }
            if (item.kind == ItemKind::Bitmask) {
                for (std::uint32_t j = 0; j < item.count; ++j)
                    if ((masks[item.data + j] & bit(lane)) != 0)
                        keys.push_back(item.key + j);
                continue;
            }
            const LaneBound bound = item.kind == ItemKind::Full
                                        ? LaneBound{item.key, item.key + item.count * item.stride}
                                        : bounds[item.data + lane];
            for (std::uint32_t j = 0; j < item.count; ++j)
                if (const std::uint32_t key = item.key + j * item.stride; key >= bound.lo && key < bound.hi)
                    keys.push_back(key);
        }
        break;
    }
    std::sort(keys.begin(), keys.end());
    return keys;
}

std::uint64_t computedPairs(const HeadPlan& plan, const PlanItem& item, std::uint32_t lanes) {
    if (item.kind != ItemKind::Gather)
        return std::uint64_t{item.count} * lanes;
    std::uint64_t pairs = 0;
    for (std::size_t n = item.data; n < item.data + item.count; ++n) {
        const std::uint64_t reading = plan.gatherLanes[n];
        pairs += pairByPair(reading, lanes) ? static_cast<std::uint64_t>(std::popcount(reading)) : lanes;
    }
    return pairs;
}

const std::vector<std::uint8_t>* AttentionPlan::silentRows(int head) const {
    if (!routing)
        return nullptr;
    const RoutedChoices* choices = routing->units[routing->unitOfHead[static_cast<std::size_t>(head)]].get();
    return choices != nullptr && !choices->silent.empty() ? &choices->silent : nullptr;
}

std::uint64_t AttentionPlan::pairs() const {
    std::uint64_t sum = 0;
    for (const auto& head : heads)
        sum += head->pairs;
    return sum;
}

std::uint64_t AttentionPlan::pairsComputed() const {
    std::uint64_t sum = 0;
    for (const auto& head : heads)
        sum += head->pairsComputed;
    return sum;
}

std::vector<KeptKey> AttentionPlan::keptKeys(int head, std::size_t query) const {
    const HeadPlan& plan = *heads[static_cast<std::size_t>(head)];
    if (query < plan.rows.first || query >= plan.rows.last)
        return {};
    const std::vector<std::uint32_t> keys = plan.keysOf(query);
    std::vector<KeptKey> kept;
    kept.reserve(keys.size());
    if (full) {
        for (const std::uint32_t key : keys)
            kept.push_back({key, Reason::Local});
        return kept;
    }
    const AttentionPolicy& own = policyOf(head);
    if (own.bidirectional()) {
        for (const std::uint32_t key : keys)
            kept.push_back({key, bidirectionalReason(own, layer, facts->tokens, query, key)});
        return kept;
    }
    const LocalReads local(own.local);
    const auto always = alwaysReads(own, *facts);
    FOVEA_ASSERT(always.has_value()); // planning would have failed
    for (const std::uint32_t key : keys) {
        Reason reason = Reason::Routed;
        if (local.contains(query, key))
            reason = Reason::Local;
        else if (always->queryRole[query] != 0 || always->reads(query, key))
            reason = Reason::Always;
        kept.push_back({key, reason});
    }
    // A query that reads nothing reads itself, for the reason local.
    if (kept.size() == 1 && kept[0].reason == Reason::Routed && kept[0].key == query) {
        const RoutedChoices* choices =
            routing ? routing->units[routing->unitOfHead[static_cast<std::size_t>(head)]].get() : nullptr;
        const bool chosen =
            choices != nullptr && (!choices->row(query).empty() ||
                                   (!choices->queryRole.empty() && choices->queryRole[query] == kReadsAll));
        if (!chosen)
            kept[0].reason = Reason::Local;
    }
    return kept;
}

Result<AttentionPlan> makePlan(std::shared_ptr<const AttentionPolicy> policy, const ModelShape& shape,
                               int layer, std::shared_ptr<const TokenFacts> facts,
                               std::shared_ptr<const LayerRouting> routing, RowRange rows) {
    FOVEA_ASSERT(policy != nullptr && facts != nullptr && layer >= 0 && layer < shape.layers);
    FOVEA_ASSERT(rows.first <= rows.last && rows.last <= facts->tokens);
    FOVEA_TRY(policyFits(*policy, shape, facts->tokens));
    auto always = alwaysReads(*policy, *facts);
    if (!always)
        return tl::make_unexpected(always.error());

    AttentionPlan plan;
    plan.layer = layer;
    plan.policy = policy;
    plan.facts = facts;
    const auto heads = static_cast<std::size_t>(shape.heads);
    const bool everything =
        policy->local.window >= static_cast<std::int64_t>(facts->tokens) && policy->local.dilation == 1;
    if (policy->fullInLayer(layer) || everything) {
        plan.full = true;
        plan.heads.assign(heads, fullHeadPlan(facts->tokens, rows));
        return plan;
    }
    FOVEA_ASSERT(routing != nullptr || !policy->routed.on());
    plan.routing = std::move(routing);
    const LocalReads local(policy->local);
    // A state answers for a query that reads no key; summaries and nothing at all do not.
    const bool state = policy->far.far == Far::Linear || policy->far.far == Far::Recurrent;
    const auto unread = state ? PlanBuilder::Unread::Nothing : PlanBuilder::Unread::Self;
    if (!plan.routing) {
        plan.heads.assign(heads,
                          std::make_shared<const HeadPlan>(
                              PlanBuilder(local, *always, nullptr, facts->tokens, rows, unread).build()));
        return plan;
    }
    FOVEA_ASSERT(plan.routing->unitOfHead.size() == heads);
    std::vector<std::shared_ptr<const HeadPlan>> ofUnit(plan.routing->units.size());
    plan.heads.reserve(heads);
    for (const std::uint16_t unit : plan.routing->unitOfHead) {
        if (!ofUnit[unit]) {
            // A unit that was not routed (another head was asked for) plans no rows.
            const RoutedChoices* choices = plan.routing->units[unit].get();
            const RowRange planned = choices != nullptr ? rows : RowRange{rows.first, rows.first};
            ofUnit[unit] = std::make_shared<const HeadPlan>(
                PlanBuilder(local, *always, choices, facts->tokens, planned, unread).build());
        }
        plan.heads.push_back(ofUnit[unit]);
    }
    return plan;
}

AttentionPlan joinPlans(std::shared_ptr<const AttentionPolicy> whole, std::span<const AttentionPlan> parts,
                        std::span<const std::size_t> partOf) {
    FOVEA_ASSERT(!parts.empty());
    AttentionPlan plan;
    plan.layer = parts[0].layer;
    plan.policy = std::move(whole);
    plan.facts = parts[0].facts;
    plan.full = std::all_of(parts.begin(), parts.end(), [](const AttentionPlan& part) { return part.full; });
    std::vector<std::size_t> firstUnit;
    auto routing = std::make_shared<LayerRouting>();
    routing->layer = plan.layer;
    for (const AttentionPlan& part : parts) {
        firstUnit.push_back(routing->units.size());
        if (part.routing) {
            routing->units.insert(routing->units.end(), part.routing->units.begin(),
                                  part.routing->units.end());
            routing->macs += part.routing->macs;
        } else {
            routing->units.push_back(nullptr); // nothing was routed for these heads
        }
    }
    for (std::size_t head = 0; head < partOf.size(); ++head) {
        const AttentionPlan& part = parts[partOf[head]];
        plan.heads.push_back(part.heads[head]);
        plan.ofHead.push_back(part.policy);
        const std::size_t unit = part.routing ? part.routing->unitOfHead[head] : 0U;
        routing->unitOfHead.push_back(static_cast<std::uint16_t>(firstUnit[partOf[head]] + unit));
    }
    if (std::any_of(parts.begin(), parts.end(),
                    [](const AttentionPlan& part) { return part.routing != nullptr; }))
        plan.routing = std::move(routing);
    return plan;
}

AttentionPlan fullPlan(const ModelShape& shape, int layer, std::size_t tokens) {
    AttentionPlan plan;
    plan.layer = layer;
    plan.full = true;
    auto policy = std::make_shared<AttentionPolicy>();
    policy->name = "full";
    plan.policy = std::move(policy);
    auto facts = std::make_shared<TokenFacts>();
    facts->tokens = tokens;
    plan.facts = std::move(facts);
    plan.heads.assign(static_cast<std::size_t>(shape.heads), fullHeadPlan(tokens, {0, tokens}));
    return plan;
}

} // namespace fovea
