#pragma once
#include "core/policy/AttentionPolicy.h"
#include "core/route/Router.h"
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace fovea {

/// Queries per block and keys per item.
inline constexpr std::size_t kBlock = 64;

enum class ItemKind : std::uint8_t {
    Full,   ///< every active query of the block reads keys [key, key+count)
    Bound,  ///< query lane t reads keys with bounds[data+t].lo <= j < bounds[data+t].hi, inside [key, key+count)
    Gather, ///< single keys gatherKeys[data .. data+count), each read by the lanes of gatherLanes[...]
};

struct PlanItem {
    ItemKind kind = ItemKind::Full;
    std::uint32_t key = 0;   ///< first key (Full, Bound)
    std::uint32_t count = 0; ///< keys, 1..64
    std::uint32_t data = 0;  ///< index of the block's bounds (64 of them) or of the first gathered key
    bool operator==(const PlanItem&) const = default;
};

/// Keys [lo, hi) of one query inside a Bound item, absolute positions; lo >= hi: none.
struct LaneBound {
    std::uint32_t lo = 0;
    std::uint32_t hi = 0;
    bool operator==(const LaneBound&) const = default;
};

/// Up to 64 queries with the same list of items. Contiguous (`queryList` < 0: lanes are queryBegin + t) or gathered.
struct QueryBlock {
    std::uint32_t queryBegin = 0;
    std::uint32_t queryCount = 0;  ///< lanes in use, 1..64
    std::int32_t queryList = -1;   ///< index into HeadPlan::queryLists of the first lane's query
    std::uint64_t activeLanes = 0; ///< lanes this block writes; the others belong to another block
    std::uint32_t itemBegin = 0;
    std::uint32_t itemEnd = 0;
    bool operator==(const QueryBlock&) const = default;
};

/// What each query block of one head (or of all heads sharing the pattern) reads. Every (query, key) pair occurs in at most
/// one item; keys are <= the query; every active query reads at least itself. Blocks are sorted by first query;
/// items by first key, Gather items last. Immutable.
struct HeadPlan {
    std::size_t tokens = 0; ///< T
    RowRange rows;          ///< the queries planned; the whole text unless a rectangle was asked
    std::vector<QueryBlock> blocks;
    std::vector<PlanItem> items;
    std::vector<LaneBound> bounds;
    std::vector<std::uint32_t> gatherKeys;
    std::vector<std::uint64_t> gatherLanes;
    std::vector<std::uint32_t> queryLists;
    std::uint64_t pairs = 0;         ///< planned (query, key) pairs
    std::uint64_t pairsComputed = 0; ///< lanes x keys of every tile that is touched
    std::array<std::uint64_t, 4> pairsByReason{}; ///< local, always, routed, far
    bool operator==(const HeadPlan&) const = default;
};

struct KeptKey {
    std::uint32_t key = 0;
    Reason reason = Reason::Local;
    bool operator==(const KeptKey&) const = default;
};

/// One layer's plan: a HeadPlan per head, shared where heads read alike, and the way back to each key's reason.
struct AttentionPlan {
    int layer = 0;
    bool full = false; ///< every key of every query
    std::vector<std::shared_ptr<const HeadPlan>> heads; ///< [H]
    std::shared_ptr<const AttentionPolicy> policy;
    std::shared_ptr<const TokenFacts> facts;
    std::shared_ptr<const LayerRouting> routing; ///< null when nothing is routed

    [[nodiscard]] std::uint64_t pairs() const;         ///< over heads
    [[nodiscard]] std::uint64_t pairsComputed() const; ///< over heads
    /// The keys query `query` of head `head` reads, ascending, with reasons. Cost: its length.
    [[nodiscard]] std::vector<KeptKey> keptKeys(int head, std::size_t query) const;
};

/// Unions local, always and routed into items for rows `rows`. `routing` may be null when the policy routes nothing.
/// Errors: BadValue (pinned position beyond T).
[[nodiscard]] Result<AttentionPlan> makePlan(std::shared_ptr<const AttentionPolicy> policy, const ModelShape& shape,
                                             int layer, std::shared_ptr<const TokenFacts> facts,
                                             std::shared_ptr<const LayerRouting> routing, RowRange rows);

/// Full causal attention over T tokens: the plan of the full arm.
[[nodiscard]] AttentionPlan fullPlan(const ModelShape& shape, int layer, std::size_t tokens);

/// T(T+1)/2.
[[nodiscard]] constexpr std::uint64_t causalPairs(std::uint64_t tokens) { return tokens * (tokens + 1) / 2; }

} // namespace fovea
