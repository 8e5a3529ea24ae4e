#pragma once
#include <cstddef>
#include <cstdint>

// The plain records of a plan. No containers here: the kernels of one instruction set may include only this.
namespace fovea {

/// Queries per block and keys per item.
inline constexpr std::size_t kBlock = 64;

enum class ItemKind : std::uint8_t {
    Full,    ///< every active query of the block reads keys [key, key+count)
    Bound,   ///< query lane t reads keys with bounds[data+t].lo <= j < bounds[data+t].hi, inside [key,
             ///< key+count)
    Bitmask, ///< lane t reads key key + j, j < count, where bit t of masks[data + j] is set
    Gather,  ///< single keys gatherKeys[data .. data+count), each read by the lanes of gatherLanes[...]
};

/// A gathered key that less than a quarter of a block's lanes read is computed pair by pair, not for all
/// lanes: routed keys of neighbouring queries often differ.
[[nodiscard]] constexpr bool pairByPair(std::uint64_t lanesReading, std::uint32_t lanes) {
    return static_cast<std::uint32_t>(__builtin_popcountll(lanesReading)) * 4 < lanes;
}

struct PlanItem {
    ItemKind kind = ItemKind::Full;
    std::uint32_t key = 0;   ///< first key (Full, Bound, Bitmask)
    std::uint32_t count = 0; ///< keys, 1..64
    std::uint32_t data = 0;  ///< index of the block's bounds (64 of them), of the first mask or gathered key
    /// >= 1: as if each of the item's keys stood there so many times, which adds its logarithm to the logits.
    /// Only the modes that repeat another program's double counting set it.
    std::uint32_t multiplicity = 1;
    /// Full and Bound: the keys are key, key + stride, ... (count of them). A dilated window is a dense one
    /// for queries of the same phase.
    std::uint32_t stride = 1;
    bool operator==(const PlanItem&) const = default;
};

/// Keys [lo, hi) of one query inside a Bound item, absolute positions; lo >= hi: none.
struct LaneBound {
    std::uint32_t lo = 0;
    std::uint32_t hi = 0;
    bool operator==(const LaneBound&) const = default;
};

/// Up to 64 queries with the same list of items. Contiguous (`queryList` < 0: lanes are queryBegin + t) or
/// gathered.
struct QueryBlock {
    std::uint32_t queryBegin = 0;
    std::uint32_t queryCount = 0;  ///< lanes in use, 1..64
    std::int32_t queryList = -1;   ///< index into HeadPlan::queryLists of the first lane's query
    std::uint64_t activeLanes = 0; ///< lanes this block writes; the others belong to another block
    std::uint32_t itemBegin = 0;
    std::uint32_t itemEnd = 0;
    bool operator==(const QueryBlock&) const = default;
};

} // namespace fovea
