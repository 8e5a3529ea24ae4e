#pragma once
#include <cstddef>
#include <cstdint>

// The plain records of a plan. No containers here, because the kernels of one instruction set include this
// file (see core/kernels/BlockKernel.h).
namespace fovea {

/// Queries per block and keys per item.
inline constexpr std::size_t kBlock = 64;

enum class ItemKind : std::uint8_t {
    Full,    ///< every active query of the block reads keys [key, key+count)
    Bound,   ///< lane t reads the keys j in [key, key+count) with bounds[data+t].lo <= j < bounds[data+t].hi
    Bitmask, ///< lane t reads key + j, j < count, if bit t of masks[data + j] is set
    Gather,  ///< keys gatherKeys[data .. data+count), each read by the lanes set in gatherLanes of the same
             ///< index
};

/// Whether a gathered key is computed pair by pair instead of for all lanes: when less than a quarter of the
/// block's lanes read it. Routed keys of adjacent queries often differ.
[[nodiscard]] constexpr bool pairByPair(std::uint64_t lanesReading, std::uint32_t lanes) {
    return static_cast<std::uint32_t>(__builtin_popcountll(lanesReading)) * 4 < lanes;
}

struct PlanItem {
    ItemKind kind = ItemKind::Full;
    std::uint32_t key = 0;   ///< first key (Full, Bound, Bitmask)
    std::uint32_t count = 0; ///< keys, 1..64
    std::uint32_t data = 0;  ///< index of the first of 64 bounds, first mask or gathered key
    /// How often each key of the item counts, >= 1; the kernel adds its logarithm to the logits. Above 1 only
    /// in modes that reproduce the double counting of another program.
    std::uint32_t multiplicity = 1;
    /// Full and Bound: the keys are key, key + stride, ... (count of them). For queries of the same phase
    /// this makes a dilated window dense.
    std::uint32_t stride = 1;
    bool operator==(const PlanItem&) const = default;
};

/// Keys [lo, hi) of one query inside a Bound item, in absolute positions; lo >= hi: none.
struct LaneBound {
    std::uint32_t lo = 0;
    std::uint32_t hi = 0;
    bool operator==(const LaneBound&) const = default;
};

/// Up to 64 queries with the same list of items. They are consecutive (`queryList` < 0: lane t is query
/// queryBegin + t) or listed.
struct QueryBlock {
    std::uint32_t queryBegin = 0;
    std::uint32_t queryCount = 0;  ///< lanes in use, 1..64
    std::int32_t queryList = -1;   ///< index in HeadPlan::queryLists of the query of lane 0
    std::uint64_t activeLanes = 0; ///< lanes written here; the others belong to another block
    std::uint32_t itemBegin = 0;
    std::uint32_t itemEnd = 0;
    bool operator==(const QueryBlock&) const = default;
};

} // namespace fovea
