#pragma once
#include "core/base/RowRange.h"
#include "core/model/NativeAttention.h"
#include "core/plan/PlanItem.h"
#include "core/policy/AttentionPolicy.h"
#include "core/route/LayerPolicy.h"
#include "core/route/LayerRouting.h"
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace fovea {

/// The keys that each query block of one head reads (or of several heads with the same pattern). Every
/// (query, key) pair occurs in at most one item and counts once in `pairs`, whatever the item's multiplicity.
/// Every active query reads at least one key; queries that are in no block read none. In plans of makePlan
/// keys are <= the query; plans of makeBidirectionalPlan may contain any key of the text. Kernels and oracle
/// accept both. Blocks are sorted by first query, items by first key with Gather items last. Immutable.
struct HeadPlan {
    std::size_t tokens = 0; ///< T
    RowRange rows;          ///< the planned queries; the whole text unless only some rows were requested
    NativeWindow native; ///< of the layer: no query reads a key outside it, and nothing stands for such a key
    std::vector<QueryBlock> blocks;
    std::vector<PlanItem> items;
    std::vector<LaneBound> bounds;
    std::vector<std::uint64_t> masks; ///< for each key of the Bitmask items, the lanes that read it
    std::vector<std::uint32_t> gatherKeys;
    std::vector<std::uint64_t> gatherLanes;
    std::vector<std::uint32_t> queryLists;
    std::uint64_t pairs = 0;         ///< planned (query, key) pairs
    std::uint64_t pairsComputed = 0; ///< upper bound: lanes x keys of each tile, and single pairs
    std::array<std::uint64_t, 4> pairsByReason{}; ///< local, always, routed, far
    bool operator==(const HeadPlan&) const = default;
    /// The keys that `query` reads, ascending, from the items. Empty for a query that is not planned.
    [[nodiscard]] std::vector<std::uint32_t> keysOf(std::size_t query) const;
    /// How often `query` reads `key`, which is one of its keys.
    [[nodiscard]] std::uint32_t timesOf(std::size_t query, std::uint32_t key) const;
    /// Whether any key is read more than once.
    [[nodiscard]] bool repeats() const;
};

/// Pairs that a block of `lanes` queries computes for one of its items: whole tiles, or single pairs
/// (pairByPair).
[[nodiscard]] std::uint64_t computedPairs(const HeadPlan& plan, const PlanItem& item, std::uint32_t lanes);

struct KeptKey {
    std::uint32_t key = 0;
    Reason reason = Reason::Local;
    std::uint32_t times = 1; ///< PlanItem::multiplicity
    bool operator==(const KeptKey&) const = default;
};

/// The plan of one layer: a HeadPlan per head, shared by heads that read the same keys, and what is needed to
/// tell the reason of each key.
struct AttentionPlan {
    int layer = 0;
    bool asModel = false; ///< every query reads every key that the model lets it read, and nothing else
    std::vector<std::shared_ptr<const HeadPlan>>
        heads; ///< [H], never null; a head that was not requested has no blocks
    std::shared_ptr<const AttentionPolicy> policy; ///< of the run, with its names of layers and heads
    /// The heads in sets with the same policy. Empty in plans of modelPlan and makeBidirectionalPlan: there
    /// all heads follow `policy`.
    std::vector<LayerPolicy> sets;
    std::shared_ptr<const TokenFacts> facts;
    std::shared_ptr<const LayerRouting> routing; ///< null when nothing is routed

    /// The set of heads that contains `head`; null if `sets` is empty.
    [[nodiscard]] const LayerPolicy* setOf(int head) const;
    /// The policy of head `head` in this layer, with head and layer names resolved.
    [[nodiscard]] const AttentionPolicy& policyOf(int head) const;
    /// The five parts of that policy. In a layer that the mix keeps full these are the parts of full
    /// attention.
    [[nodiscard]] const HeadParts& partsOf(int head) const;
    /// Whether every query of this head reads every key that the model lets it read.
    [[nodiscard]] bool readsAll(int head) const;
    /// The signal that chose the keys or queries of a head. Empty if the head reads everything, routes
    /// nothing, was not requested, or only draws random blocks.
    [[nodiscard]] std::string_view signalOf(int head) const;
    /// What the router chose for a head; null if there is no choice.
    [[nodiscard]] const RoutedChoices* choicesOf(int head) const;
    /// Per query 1 if it reads nothing and gets no softmax (RoutedChoices::silent). Null when the head has no
    /// such queries.
    [[nodiscard]] const std::vector<std::uint8_t>* silentRows(int head) const;
    [[nodiscard]] std::uint64_t pairs() const;         ///< over heads
    [[nodiscard]] std::uint64_t pairsComputed() const; ///< over heads
    /// The keys that query `query` of head `head` reads, ascending, with reasons. Does not include keys that
    /// are read only through a far field. Cost: the number of keys, and a step per block of 64 queries.
    [[nodiscard]] std::vector<KeptKey> keptKeys(int head, std::size_t query) const;
    /// Writes the reasons of those of these keys that are among `keys` (Reason, at key - keys.first) and
    /// leaves the others as they are. Cost as keptKeys, without its memory.
    void markReasons(int head, std::size_t query, RowRange keys, std::span<std::uint8_t> reasons) const;

private:
    /// f(key, reason) for each of `keys` that the query reads, in the order of the plan's items.
    template <class F>
    void forEachRead(int head, std::size_t query, RowRange keys, const F& f) const;
};

/// Makes the items of rows `rows` of one layer from the union of local, always and routed keys inside the
/// layer's native window. `sets`: layerPolicies of `policy`. `routing` may be null if no set runs a router.
/// With `onlyHead` >= 0 sets without that head, and units without choices, get no rows. Plans of different
/// units are made on `threads` threads, with the same result at any number. Working memory: 17 bytes for each
/// token and thread. Throws std::bad_alloc.
[[nodiscard]] AttentionPlan makePlan(std::shared_ptr<const AttentionPolicy> policy,
                                     std::vector<LayerPolicy> sets, const ModelShape& shape, int layer,
                                     std::shared_ptr<const TokenFacts> facts,
                                     std::shared_ptr<const LayerRouting> routing, RowRange rows,
                                     int onlyHead = -1, int threads = 1);

/// As above, but resolves the policy first. Errors: those of layerPolicies.
[[nodiscard]] Result<AttentionPlan> makePlan(std::shared_ptr<const AttentionPolicy> policy,
                                             const ModelShape& shape, int layer,
                                             std::shared_ptr<const TokenFacts> facts,
                                             std::shared_ptr<const LayerRouting> routing, RowRange rows);

/// The plan of one layer as the model computes it, over T tokens: every key up to the query that its native
/// window lets it read; in an encoder every key of the text. This is the full arm.
[[nodiscard]] AttentionPlan modelPlan(const ModelShape& shape, int layer, std::size_t tokens);

} // namespace fovea
