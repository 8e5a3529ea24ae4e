#pragma once
#include "core/plan/PlanItem.h"
#include "core/policy/AttentionPolicy.h"
#include "core/route/Router.h"
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace fovea {

/// What each query block of one head (or of all heads sharing the pattern) reads. Every (query, key) pair
/// occurs in at most one item, and counts once in `pairs` whatever the item's multiplicity; every active
/// query reads at least one key; queries of no block read none. Keys are <= the query in plans of makePlan;
/// those of makeBidirectionalPlan name any key of the text, and kernels and oracle take both. Blocks are
/// sorted by first query; items by first key, Gather items last. Immutable.
struct HeadPlan {
    std::size_t tokens = 0; ///< T
    RowRange rows;          ///< the queries planned; the whole text unless a rectangle was asked
    std::vector<QueryBlock> blocks;
    std::vector<PlanItem> items;
    std::vector<LaneBound> bounds;
    std::vector<std::uint64_t> masks; ///< lanes of each key of the Bitmask items
    std::vector<std::uint32_t> gatherKeys;
    std::vector<std::uint64_t> gatherLanes;
    std::vector<std::uint32_t> queryLists;
    std::uint64_t pairs = 0;         ///< planned (query, key) pairs
    std::uint64_t pairsComputed = 0; ///< at most: lanes x keys of each tile, and pairByPair's pairs
    std::array<std::uint64_t, 4> pairsByReason{}; ///< local, always, routed, far
    bool operator==(const HeadPlan&) const = default;
    /// The keys `query` reads, ascending, straight from the items; empty for a query that is not planned.
    [[nodiscard]] std::vector<std::uint32_t> keysOf(std::size_t query) const;
};

/// Pairs that a block of `lanes` queries computes for one of its items: whole tiles, or pairByPair's pairs.
[[nodiscard]] std::uint64_t computedPairs(const HeadPlan& plan, const PlanItem& item, std::uint32_t lanes);

struct KeptKey {
    std::uint32_t key = 0;
    Reason reason = Reason::Local;
    bool operator==(const KeptKey&) const = default;
};

/// One layer's plan: a HeadPlan per head, shared where heads read alike, and the way back to each key's
/// reason.
struct AttentionPlan {
    int layer = 0;
    bool full = false; ///< every key of every query
    std::vector<std::shared_ptr<const HeadPlan>>
        heads; ///< [H], never null; no blocks for a head that was not asked for
    std::shared_ptr<const AttentionPolicy> policy;
    /// [H] what each head does, one policy for heads alike; empty: all do what `policy` says.
    std::vector<std::shared_ptr<const AttentionPolicy>> ofHead;
    std::shared_ptr<const TokenFacts> facts;
    std::shared_ptr<const LayerRouting> routing; ///< null when nothing is routed

    /// What head `head` does in this layer, heads and layers resolved.
    [[nodiscard]] const AttentionPolicy& policyOf(int head) const {
        return ofHead.empty() ? *policy : *ofHead[static_cast<std::size_t>(head)];
    }
    /// As policyOf, for the five parts; a layer that the mix keeps full has the parts of full attention.
    [[nodiscard]] const HeadParts& partsOf(int head) const {
        return ofHead.empty() ? policy->partsOf(layer, head) : policyOf(head);
    }
    /// 1 for queries that read nothing and get no softmax (RoutedChoices::silent); null: none in this head.
    [[nodiscard]] const std::vector<std::uint8_t>* silentRows(int head) const;
    [[nodiscard]] std::uint64_t pairs() const;         ///< over heads
    [[nodiscard]] std::uint64_t pairsComputed() const; ///< over heads
    /// The keys query `query` of head `head` reads, ascending, with reasons. Cost: its length.
    [[nodiscard]] std::vector<KeptKey> keptKeys(int head, std::size_t query) const;
};

/// Unions local, always and routed into items for rows `rows`. `policy` is one policy for all heads of the
/// layer (head policies are resolved by the caller). `routing` may be null when the policy routes nothing.
/// Errors: BadValue (pinned position beyond T, a full layer that the model lacks), Unsupported
/// (requireCausal).
[[nodiscard]] Result<AttentionPlan> makePlan(std::shared_ptr<const AttentionPolicy> policy,
                                             const ModelShape& shape, int layer,
                                             std::shared_ptr<const TokenFacts> facts,
                                             std::shared_ptr<const LayerRouting> routing, RowRange rows);

/// One layer's plan from plans of single policies: head h of `whole` is taken from parts[partOf[h]].
[[nodiscard]] AttentionPlan joinPlans(std::shared_ptr<const AttentionPolicy> whole,
                                      std::span<const AttentionPlan> parts,
                                      std::span<const std::size_t> partOf);

/// Full causal attention over T tokens: the plan of the full arm.
[[nodiscard]] AttentionPlan fullPlan(const ModelShape& shape, int layer, std::size_t tokens);

/// T(T+1)/2.
[[nodiscard]] constexpr std::uint64_t causalPairs(std::uint64_t tokens) {
    return tokens * (tokens + 1) / 2;
}

} // namespace fovea
