#include "core/plan/Recast.h"
#include "core/base/Check.h"
#include "core/route/ReadSets.h"
#include <algorithm>
#include <array>
#include <bit>
#include <map>

namespace fovea {

namespace {

/// Splits one HeadPlan item by item. An item that belongs entirely to one side is moved there unchanged; any
/// other becomes one item with lane masks on each side.
class Splitter {
public:
    /// `always`: keys outside the window that are not recast; null: none.
    Splitter(const HeadPlan& plan, const HeadParts& parts, const AlwaysReads* always)
        : m_plan(plan), m_local(parts.local, plan.native), m_always(always) {
        for (HeadPlan* side : {&m_asMade, &m_recast}) {
            side->tokens = plan.tokens;
            side->rows = plan.rows;
            side->native = plan.native;
        }
        for (const QueryBlock& block : plan.blocks)
            addBlock(block);
    }
    [[nodiscard]] HeadPlan takeAsMade() { return std::move(m_asMade); }
    [[nodiscard]] HeadPlan takeRecast() { return std::move(m_recast); }

private:
    using Masks = std::array<std::uint64_t, kBlock>; // lanes of each key of one item

    void addBlock(const QueryBlock& block) {
        QueryBlock mine = block, theirs = block;
        mine.itemBegin = static_cast<std::uint32_t>(m_asMade.items.size());
        theirs.itemBegin = static_cast<std::uint32_t>(m_recast.items.size());
        for (std::uint32_t i = block.itemBegin; i < block.itemEnd; ++i)
            addItem(block, m_plan.items[i]);
        mine.itemEnd = static_cast<std::uint32_t>(m_asMade.items.size());
        theirs.itemEnd = static_cast<std::uint32_t>(m_recast.items.size());
        m_asMade.blocks.push_back(mine);
        if (theirs.itemEnd > theirs.itemBegin) // rows of no block are left alone
            m_recast.blocks.push_back(theirs);
    }

    void addItem(const QueryBlock& block, const PlanItem& item) {
        FOVEA_ASSERT(item.stride == 1 && block.queryList < 0); // neither is planned where something is recast
        // A tile at or after the first key of the last lane contains only window keys.
        const std::size_t last = std::size_t{block.queryBegin} + block.queryCount - 1;
        const bool window = item.kind != ItemKind::Gather && item.key >= m_local.bandFirst(last);
        if (window)
            return copy(block, item, m_asMade);
        Masks mine{}, theirs{};
        std::uint64_t anyMine = 0, anyTheirs = 0;
        for (std::uint32_t j = 0; j < item.count; ++j) {
            for (std::uint64_t left = lanesOf(block, item, j); left != 0; left &= left - 1) {
                const auto lane = static_cast<std::size_t>(std::countr_zero(left));
                (isAsMade(block.queryBegin + lane, keyOf(item, j)) ? mine : theirs)[j] |= std::uint64_t{1}
                                                                                          << lane;
            }
            anyMine |= mine[j];
            anyTheirs |= theirs[j];
        }
        if (anyTheirs == 0)
            return copy(block, item, m_asMade);
        if (anyMine == 0)
            return copy(block, item, m_recast);
        addMasks(block, item, mine, m_asMade);
        addMasks(block, item, theirs, m_recast);
    }

    [[nodiscard]] bool isAsMade(std::size_t query, std::size_t key) const {
        return m_local.contains(query, key) || (m_always != nullptr && m_always->reads(query, key));
    }

    [[nodiscard]] std::uint32_t keyOf(const PlanItem& item, std::uint32_t j) const {
        return item.kind == ItemKind::Gather ? m_plan.gatherKeys[item.data + j] : item.key + j;
    }

    [[nodiscard]] std::uint64_t lanesOf(const QueryBlock& block, const PlanItem& item,
                                        std::uint32_t j) const {
        switch (item.kind) {
        case ItemKind::Full:
            return block.activeLanes;
        case ItemKind::Bitmask:
            return m_plan.masks[item.data + j] & block.activeLanes;
        case ItemKind::Gather:
            return m_plan.gatherLanes[item.data + j];
        case ItemKind::Bound:
            break;
        }
        std::uint64_t lanes = 0;
        for (std::size_t t = 0; t < block.queryCount; ++t)
            if (const LaneBound bound = m_plan.bounds[item.data + t];
                item.key + j >= bound.lo && item.key + j < bound.hi)
                lanes |= std::uint64_t{1} << t;
        return lanes & block.activeLanes;
    }

    void copy(const QueryBlock& block, PlanItem item, HeadPlan& to) const {
        const auto append = [](auto& list, const auto& from, std::uint32_t first, std::size_t count) {
            const auto at = static_cast<std::uint32_t>(list.size());
            const auto begin = from.begin() + static_cast<std::ptrdiff_t>(first);
            list.insert(list.end(), begin, begin + static_cast<std::ptrdiff_t>(count));
            return at;
        };
        for (std::uint32_t j = 0; j < item.count; ++j)
            to.pairs += static_cast<std::uint64_t>(std::popcount(lanesOf(block, item, j)));
        const std::uint32_t first = item.data;
        if (item.kind == ItemKind::Bound) {
            item.data = append(to.bounds, m_plan.bounds, first, kBlock);
        } else if (item.kind == ItemKind::Bitmask) {
            item.data = append(to.masks, m_plan.masks, first, item.count);
        } else if (item.kind == ItemKind::Gather) {
            item.data = append(to.gatherKeys, m_plan.gatherKeys, first, item.count);
            append(to.gatherLanes, m_plan.gatherLanes, first, item.count);
        }
        add(block, item, to);
    }

    /// The lanes of one side of an item, trimmed by the keys at both ends that no lane reads.
    void addMasks(const QueryBlock& block, const PlanItem& item, const Masks& masks, HeadPlan& to) const {
        PlanItem part = item;
        std::uint32_t first = 0, last = item.count;
        while (masks[first] == 0)
            ++first;
        while (masks[last - 1] == 0)
            --last;
        for (std::uint32_t j = first; j < last; ++j)
            to.pairs += static_cast<std::uint64_t>(std::popcount(masks[j]));
        if (item.kind != ItemKind::Gather) {
            part.kind = ItemKind::Bitmask;
            part.key = item.key + first;
            part.count = last - first;
            part.data = static_cast<std::uint32_t>(to.masks.size());
            to.masks.insert(to.masks.end(), masks.begin() + first, masks.begin() + last);
        } else {
            part.data = static_cast<std::uint32_t>(to.gatherKeys.size());
            for (std::uint32_t j = first; j < last; ++j)
                if (masks[j] != 0) {
                    to.gatherKeys.push_back(keyOf(item, j));
                    to.gatherLanes.push_back(masks[j]);
                }
            part.key = to.gatherKeys[part.data];
            part.count = static_cast<std::uint32_t>(to.gatherKeys.size()) - part.data;
        }
        add(block, part, to);
    }

    static void add(const QueryBlock& block, const PlanItem& item, HeadPlan& to) {
        to.pairsComputed += computedPairs(to, item, block.queryCount);
        to.items.push_back(item);
    }

    const HeadPlan& m_plan;
    LocalReads m_local;
    const AlwaysReads* m_always;
    HeadPlan m_asMade, m_recast;
};

struct Parts {
    std::shared_ptr<const HeadPlan> whole, asMade, recast;
};

Parts partsOf(const AttentionPlan& plan, int head) {
    const std::shared_ptr<const HeadPlan>& whole = plan.heads[static_cast<std::size_t>(head)];
    const Recast recast = recastOf(plan, head);
    if (recast == Recast::None || whole->blocks.empty()) {
        HeadPlan nothing;
        nothing.tokens = whole->tokens;
        nothing.rows = whole->rows;
        nothing.native = whole->native;
        return {whole, whole, std::make_shared<const HeadPlan>(std::move(nothing))};
    }
    const LayerPolicy& set = *plan.setOf(head);
    Splitter split(*whole, *set.policy, recast == Recast::Stored ? set.always.get() : nullptr);
    Parts parts{nullptr, std::make_shared<const HeadPlan>(split.takeAsMade()),
                std::make_shared<const HeadPlan>(split.takeRecast())};
    FOVEA_ASSERT(parts.asMade->pairs + parts.recast->pairs == whole->pairs);
    auto counted = std::make_shared<HeadPlan>(*whole);
    counted->pairsComputed = parts.asMade->pairsComputed + parts.recast->pairsComputed;
    parts.whole = std::move(counted);
    return parts;
}

} // namespace

Recast recastOf(const AttentionPlan& plan, int head) {
    if (plan.readsAll(head))
        return Recast::None;
    const AttentionPolicy& policy = plan.policyOf(head);
    if (policy.mix.positions == Positions::Cache && policy.always.sinks > 0)
        return Recast::Position;
    return policy.routed.storesDirections() ? Recast::Stored : Recast::None;
}

Recast recastOf(const AttentionPlan& plan) {
    for (std::size_t head = 0; head < plan.heads.size(); ++head)
        if (const Recast recast = recastOf(plan, static_cast<int>(head)); recast != Recast::None)
            return recast;
    return Recast::None;
}

std::int64_t turnOf(const HeadParts& parts, std::size_t query) {
    const auto at = static_cast<std::int64_t>(query);
    return std::min(at, parts.local.window + parts.always.sinks - 1) - at;
}

std::optional<RecastPlans> splitRecast(AttentionPlan& plan) {
    if (recastOf(plan) == Recast::None)
        return {};
    std::map<const HeadPlan*, Parts> done;
    RecastPlans result{plan, plan};
    for (std::size_t h = 0; h < plan.heads.size(); ++h) {
        Parts& parts = done[plan.heads[h].get()];
        if (!parts.whole)
            parts = partsOf(plan, static_cast<int>(h));
        plan.heads[h] = parts.whole;
        result.asMade.heads[h] = parts.asMade;
        result.recast.heads[h] = parts.recast;
    }
    return result;
}

} // namespace fovea
