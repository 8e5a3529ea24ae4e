#include "core/plan/AttentionPlan.h"
#include "core/base/Check.h"
#include "core/base/Parallel.h"
#include "core/plan/BidirectionalPlan.h"
#include "core/plan/PlanBuilder.h"
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

/// Calls f(key) for every key among `keys` that `query` reads, in the order of the items.
template <class F>
void forEachKeyOf(const HeadPlan& plan, std::size_t query, RowRange keys, const F& f) {
    const auto first = static_cast<std::uint32_t>(keys.first), last = static_cast<std::uint32_t>(keys.last);
    for (const QueryBlock& block : plan.blocks) {
        const std::size_t lane = laneOf(plan, block, query);
        if (lane == kBlock)
            continue;
        for (std::size_t i = block.itemBegin; i < block.itemEnd; ++i) {
            const PlanItem& item = plan.items[i];
            if (item.kind == ItemKind::Gather) {
                for (std::size_t g = item.data; g < item.data + item.count; ++g)
                    if (const std::uint32_t key = plan.gatherKeys[g];
                        (plan.gatherLanes[g] & bit(lane)) != 0 && key >= first && key < last)
                        f(key);
                continue;
            }
            if (item.kind == ItemKind::Bitmask) {
                for (std::uint32_t j = 0; j < item.count; ++j)
                    if (const std::uint32_t key = item.key + j;
                        (plan.masks[item.data + j] & bit(lane)) != 0 && key >= first && key < last)
                        f(key);
                continue;
            }
            const std::uint32_t end = item.key + (item.count - 1) * item.stride + 1;
            LaneBound bound =
                item.kind == ItemKind::Full ? LaneBound{item.key, end} : plan.bounds[item.data + lane];
            bound = {std::max({bound.lo, item.key, first}), std::min({bound.hi, end, last})};
            const std::uint32_t before = bound.lo - item.key; // to the next key of the stride
            for (std::uint32_t key = item.key + (before + item.stride - 1) / item.stride * item.stride;
                 key < bound.hi; key += item.stride)
                f(key);
        }
        break;
    }
}

/// Sorts by key what consists of a few ascending parts, as the items of a block do.
template <class T, class KeyOf>
void sortRuns(std::vector<T>& all, const KeyOf& keyOf) {
    const auto less = [&](const T& a, const T& b) { return keyOf(a) < keyOf(b); };
    const auto second = std::is_sorted_until(all.begin(), all.end(), less);
    if (std::is_sorted(second, all.end(), less))
        std::inplace_merge(all.begin(), second, all.end(), less);
    else
        std::sort(all.begin(), all.end(), less);
}

HeadPlan modelHeadPlan(std::size_t tokens, RowRange rows, NativeWindow native) {
    AlwaysReads nothing;
    nothing.bits.assign((tokens + kBlock - 1) / kBlock, 0);
    nothing.queryRole.assign(tokens, 0);
    const LocalReads everything{LocalPart{}, native};
    return PlanBuilder(everything, nothing, nullptr, tokens, rows).build();
}

} // namespace

bool HeadPlan::repeats() const {
    return std::any_of(items.begin(), items.end(),
                       [](const PlanItem& item) { return item.multiplicity > 1; });
}

std::uint32_t HeadPlan::timesOf(std::size_t query, std::uint32_t key) const {
    for (const QueryBlock& block : blocks)
        if (laneOf(*this, block, query) != kBlock)
            for (std::size_t i = block.itemBegin; i < block.itemEnd; ++i) {
                const PlanItem& item = items[i]; // only runs of whole tiles are read more than once
                if (item.kind == ItemKind::Full && item.multiplicity > 1 && key >= item.key &&
                    key < item.key + item.count)
                    return item.multiplicity;
            }
    return 1;
}

std::vector<std::uint32_t> HeadPlan::keysOf(std::size_t query) const {
    std::vector<std::uint32_t> keys;
    forEachKeyOf(*this, query, {0, tokens}, [&keys](std::uint32_t key) { keys.push_back(key); });
    sortRuns(keys, [](std::uint32_t key) { return key; });
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

const LayerPolicy* AttentionPlan::setOf(int head) const {
    const auto found =
        std::find_if(sets.begin(), sets.end(), [&](const LayerPolicy& set) { return set.has(head); });
    return found == sets.end() ? nullptr : &*found;
}

const AttentionPolicy& AttentionPlan::policyOf(int head) const {
    const LayerPolicy* set = setOf(head);
    return set != nullptr ? *set->policy : *policy;
}

const HeadParts& AttentionPlan::partsOf(int head) const {
    const LayerPolicy* set = setOf(head);
    return set != nullptr ? *set->policy : policy->partsOf(layer, head);
}

bool AttentionPlan::readsAll(int head) const {
    const LayerPolicy* set = setOf(head);
    return asModel || (set != nullptr && set->asModel);
}

std::string_view AttentionPlan::signalOf(int head) const {
    const Unit* unit = routing ? routing->unitOf(head) : nullptr;
    return unit != nullptr && unit->choices ? std::string_view(unit->signal) : std::string_view();
}

const RoutedChoices* AttentionPlan::choicesOf(int head) const {
    return routing ? routing->choicesOf(head) : nullptr;
}

const std::vector<std::uint8_t>* AttentionPlan::silentRows(int head) const {
    const RoutedChoices* choices = choicesOf(head);
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

template <class F>
void AttentionPlan::forEachRead(int head, std::size_t query, RowRange keys, const F& f) const {
    const HeadPlan& plan = *heads[static_cast<std::size_t>(head)];
    if (query < plan.rows.first || query >= plan.rows.last)
        return;
    if (readsAll(head)) {
        forEachKeyOf(plan, query, keys, [&](std::uint32_t key) { f(key, Reason::Local); });
        return;
    }
    if (sets.empty()) {
        forEachKeyOf(plan, query, keys, [&](std::uint32_t key) {
            f(key, bidirectionalReason(*policy, layer, facts->tokens, query, key));
        });
        return;
    }
    const LayerPolicy& set = *setOf(head);
    const LocalReads local = set.local();
    const AlwaysReads& always = *set.always;
    const std::size_t band = local.bandFirst(query);
    const bool readsEveryKey = always.queryRole[query] != 0;
    // A query that would read nothing reads itself, for the reason local.
    const RoutedChoices* choices = choicesOf(head);
    const bool chose =
        choices != nullptr && (!choices->runsOf(query).empty() ||
                               (!choices->queryRole.empty() && choices->queryRole[query] == kReadsAll));
    forEachKeyOf(plan, query, keys, [&](std::uint32_t key) {
        if (key >= band || (local.dilated() && local.contains(query, key)))
            f(key, Reason::Local);
        else if (readsEveryKey || always.reads(query, key))
            f(key, Reason::Always);
        else
            f(key, key == query && !chose ? Reason::Local : Reason::Routed);
    });
}

std::vector<KeptKey> AttentionPlan::keptKeys(int head, std::size_t query) const {
    std::vector<KeptKey> kept;
    const std::size_t tokens = heads[static_cast<std::size_t>(head)]->tokens;
    forEachRead(head, query, {0, tokens}, [&](std::uint32_t key, Reason reason) {
        kept.push_back({key, reason});
    });
    if (sets.empty() && !readsAll(head))
        for (KeptKey& key : kept)
            key.times = heads[static_cast<std::size_t>(head)]->timesOf(query, key.key);
    sortRuns(kept, [](const KeptKey& key) { return key.key; });
    return kept;
}

void AttentionPlan::markReasons(int head, std::size_t query, RowRange keys,
                                std::span<std::uint8_t> reasons) const {
    FOVEA_ASSERT(reasons.size() >= keys.last - keys.first);
    forEachRead(head, query, keys, [&](std::uint32_t key, Reason reason) {
        reasons[key - keys.first] = static_cast<std::uint8_t>(reason);
    });
}

AttentionPlan makePlan(std::shared_ptr<const AttentionPolicy> policy, std::vector<LayerPolicy> sets,
                       const ModelShape& shape, int layer, std::shared_ptr<const TokenFacts> facts,
                       std::shared_ptr<const LayerRouting> routing, RowRange rows, int onlyHead,
                       int threads) {
    FOVEA_ASSERT(policy != nullptr && facts != nullptr && layer >= 0 && layer < shape.layers);
    FOVEA_ASSERT(rows.first <= rows.last && rows.last <= facts->tokens);
    AttentionPlan plan;
    plan.layer = layer;
    plan.policy = std::move(policy);
    plan.sets = std::move(sets);
    plan.facts = std::move(facts);
    plan.routing = std::move(routing);
    plan.heads.resize(static_cast<std::size_t>(shape.heads));
    plan.asModel =
        std::all_of(plan.sets.begin(), plan.sets.end(), [](const LayerPolicy& set) { return set.asModel; });
    if (plan.asModel)
        plan.routing = nullptr;
    struct Routed {
        const LayerPolicy& set;
        const Unit& unit;
    };
    std::vector<Routed> pending;
    const RowRange none{rows.first, rows.first};
    const auto built = [&](const LayerPolicy& set, const RoutedChoices* choices, RowRange planned) {
        // Whether a state provides the output of a query that reads no key. (Summaries do not.)
        const Far far = set.policy->far.far;
        const auto unread = far == Far::Linear || far == Far::Recurrent ? PlanBuilder::Unread::Nothing
                                                                        : PlanBuilder::Unread::Self;
        const LocalReads local = set.local();
        return PlanBuilder(local, *set.always, choices, plan.facts->tokens, planned, unread).build();
    };
    const auto give = [&plan](const std::vector<int>& heads, HeadPlan made) {
        const auto shared = std::make_shared<const HeadPlan>(std::move(made));
        for (const int head : heads)
            plan.heads[static_cast<std::size_t>(head)] = shared;
    };
    for (const LayerPolicy& set : plan.sets) {
        const bool asked = onlyHead < 0 || set.has(onlyHead);
        if (set.asModel) {
            give(set.heads, modelHeadPlan(plan.facts->tokens, asked ? rows : none, set.native));
            continue;
        }
        if (!asked || !set.routes()) {
            give(set.heads, built(set, nullptr, asked ? rows : none));
            continue;
        }
        FOVEA_ASSERT(plan.routing != nullptr);
        for (const Unit& unit : plan.routing->units)
            if (set.has(unit.heads.front()))
                pending.push_back({set, unit});
    }
    parallelFor(pending.size(), pending.size() > 1 ? threads : 1, [&](std::size_t n) {
        const auto& [set, unit] = pending[n];
        give(unit.heads, built(set, unit.choices.get(), unit.choices ? rows : none));
    });
    FOVEA_ASSERT(std::all_of(plan.heads.begin(), plan.heads.end(), [](const auto& head) { return head; }));
    return plan;
}

Result<AttentionPlan> makePlan(std::shared_ptr<const AttentionPolicy> policy, const ModelShape& shape,
                               int layer, std::shared_ptr<const TokenFacts> facts,
                               std::shared_ptr<const LayerRouting> routing, RowRange rows) {
    if (!shape.causal)
        return fail(ErrorCode::Unsupported,
                    shape.family +
                        " reads both directions, and this plan is causal; makeBidirectionalPlan makes "
                        "the other kind");
    Result<std::vector<LayerPolicy>> sets = layerPolicies(policy, shape, layer, *facts);
    FOVEA_TRY(sets);
    return makePlan(std::move(policy), std::move(*sets), shape, layer, std::move(facts), std::move(routing),
                    rows);
}

AttentionPlan modelPlan(const ModelShape& shape, int layer, std::size_t tokens) {
    if (!shape.causal)
        return encoderPlan(shape, layer, tokens);
    AttentionPlan plan;
    plan.layer = layer;
    plan.asModel = true;
    auto policy = std::make_shared<AttentionPolicy>();
    policy->name = "full";
    plan.policy = std::move(policy);
    auto facts = std::make_shared<TokenFacts>();
    facts->tokens = tokens;
    plan.facts = std::move(facts);
    plan.heads.assign(
        static_cast<std::size_t>(shape.heads),
        std::make_shared<const HeadPlan>(modelHeadPlan(tokens, {0, tokens}, nativeWindow(shape, layer))));
    return plan;
}

} // namespace fovea
