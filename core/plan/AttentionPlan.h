#pragma once
#include "core/base/RowRange.h"
#include "core/plan/PlanItem.h"
#include "core/policy/AttentionPolicy.h"
#include "core/route/LayerPolicy.h"
#include "core/route/LayerRouting.h"
#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
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
    std::shared_ptr<const AttentionPolicy> policy; ///< of the run, with its names of layers and heads
    /// What each head does, heads alike together. Empty in the plans of fullPlan and makeBidirectionalPlan:
    /// all heads do what `policy` says.
    std::vector<LayerPolicy> sets;
    std::shared_ptr<const TokenFacts> facts;
    std::shared_ptr<const LayerRouting> routing; ///< null when nothing is routed

    /// The set of heads that `head` belongs to; null where `sets` is empty.
    [[nodiscard]] const LayerPolicy* setOf(int head) const;
    /// What head `head` does in this layer, names of heads and layers resolved.
    [[nodiscard]] const AttentionPolicy& policyOf(int head) const;
    /// As policyOf, for the five parts; a layer that the mix keeps full has the parts of full attention.
    [[nodiscard]] const HeadParts& partsOf(int head) const;
    /// Does every query of this head read every key before it?
    [[nodiscard]] bool readsAll(int head) const;
    /// The signal by which a head's keys or queries were chosen. Empty: it reads everything, or routes
    /// nothing, or was not asked for, or only random blocks were drawn.
    [[nodiscard]] std::string_view signalOf(int head) const;
    /// What the router chose for a head; null where signalOf knows no choice.
    [[nodiscard]] const RoutedChoices* choicesOf(int head) const;
    /// 1 for queries that read nothing and get no softmax (RoutedChoices::silent); null: none in this head.
    [[nodiscard]] const std::vector<std::uint8_t>* silentRows(int head) const;
    [[nodiscard]] std::uint64_t pairs() const;         ///< over heads
    [[nodiscard]] std::uint64_t pairsComputed() const; ///< over heads
    /// The keys query `query` of head `head` reads, ascending, with reasons. Keys that only a far field
    /// stands for are not among them. Cost: its length, and a step per block of 64 queries.
    [[nodiscard]] std::vector<KeptKey> keptKeys(int head, std::size_t query) const;
};

/// Unions local, always and routed into items for rows `rows` of one layer. `sets`: layerPolicies of
/// `policy`. `routing` may be null when no set runs a router. `onlyHead` >= 0: sets that it does not belong
/// to plan no rows, nor do units without choices.
[[nodiscard]] AttentionPlan makePlan(std::shared_ptr<const AttentionPolicy> policy,
                                     std::vector<LayerPolicy> sets, const ModelShape& shape, int layer,
                                     std::shared_ptr<const TokenFacts> facts,
                                     std::shared_ptr<const LayerRouting> routing, RowRange rows,
                                     int onlyHead = -1);

/// As above, for a policy that no one has resolved yet. Errors: those of layerPolicies.
[[nodiscard]] Result<AttentionPlan> makePlan(std::shared_ptr<const AttentionPolicy> policy,
                                             const ModelShape& shape, int layer,
                                             std::shared_ptr<const TokenFacts> facts,
                                             std::shared_ptr<const LayerRouting> routing, RowRange rows);

/// Full causal attention over T tokens: the plan of the full arm.
[[nodiscard]] AttentionPlan fullPlan(const ModelShape& shape, int layer, std::size_t tokens);

/// T(T+1)/2.
[[nodiscard]] constexpr std::uint64_t causalPairs(std::uint64_t tokens) {
    return tokens * (tokens + 1) / 2;
}

} // namespace fovea
