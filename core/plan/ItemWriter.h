#pragma once
#include "core/plan/AttentionPlan.h"
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fovea {

[[nodiscard]] constexpr std::uint64_t laneBit(std::size_t lane) {
    return std::uint64_t{1} << lane;
}
[[nodiscard]] constexpr std::uint64_t lowLanes(std::size_t count) {
    return count >= kBlock ? ~std::uint64_t{0} : laneBit(count) - 1;
}

/// The queries of a block that is being written, and the band of keys that each of them reads.
struct Lanes {
    std::size_t first = 0; ///< query of lane 0
    std::size_t count = 0;
    std::uint64_t active = 0;
    std::array<LaneBound, kBlock> band{}; ///< keys [lo, hi) of the band; lo == hi for an inactive lane
    std::size_t bandFirst = 0;            ///< least lo of the bands that are not empty
    std::size_t bandLastFirst = 0;        ///< greatest lo
    std::size_t leastEnd = 0;             ///< least hi
    std::size_t end = 0;                  ///< no key from here on is read
    const std::uint32_t* list = nullptr;  ///< the lanes' queries where they are not neighbours

    Lanes() = default;
    /// Queries first, first + 1, ...; bands are empty.
    Lanes(std::size_t firstQuery, std::size_t queries) : first(firstQuery), count(queries) {}
    /// All of them active.
    explicit Lanes(const std::vector<std::uint32_t>& queries)
        : first(queries.front()), count(queries.size()), active(lowLanes(queries.size())),
          list(queries.data()) {}

    [[nodiscard]] std::size_t query(std::size_t lane) const {
        return list != nullptr ? list[lane] : first + lane;
    }
    /// Fills what follows from the bands, active lanes and `end`.
    void measure();
};

/// Writes a HeadPlan block by block. The keys of a block are the lanes' bands and, as masks over its lanes,
/// all others; which keys those are is its callers' business (PlanBuilder, BidirectionalPlan). Masks are
/// sets, so a key that two parts name is read once. Not thread-safe. Cost: one step per masked key, T/64
/// steps per block.
class ItemWriter {
public:
    ItemWriter(std::size_t tokens, RowRange rows);

    /// A tile outside the bands is worth a tile of its own when it is at least this wide and half full; else
    /// its keys are gathered.
    static constexpr std::size_t kDenseKeys = 32;

    /// `lanesReading` read `key` too. Those that have it already are not counted again.
    void addMask(std::size_t key, std::uint64_t lanesReading, Reason reason);
    void countPairs(Reason reason, std::uint64_t pairs);

    void openBlock(const Lanes& lanes);
    /// Bands and masks as trimmed Full and Bound tiles, or Bitmasks; what is not dense stays for gathers().
    void tiles(const Lanes& lanes);
    /// The lanes' intervals inside the tile [keyFirst, keyLast) as one trimmed item: Full when all active
    /// lanes read all of it. No item where none reads.
    void bounds(const Lanes& lanes, std::size_t keyFirst, std::size_t keyLast, const LaneBound* bounds);
    /// The dilated windows of lanes of one phase: positions divided by the stride make each a band.
    void strided(const Lanes& lanes, std::size_t stride, std::size_t window);
    /// Keys [keyFirst, keyLast), at most 64, which every active lane reads so many times.
    void full(std::size_t keyFirst, std::size_t keyLast, std::uint32_t multiplicity);
    /// Strided items come before tiles of lesser keys: back into the order of first keys.
    void sortBlock();
    void gathers(const Lanes& lanes);
    void closeBlock();

    /// The plan, its blocks by first query.
    [[nodiscard]] HeadPlan finish();

private:
    bool mixedTile(const Lanes& lanes, std::size_t tile);
    void bitmask(std::size_t keyFirst, std::size_t keyLast, const std::uint64_t* lanesOfKeys);

    HeadPlan m_plan;
    QueryBlock m_block;                   ///< the open one
    std::vector<std::uint64_t> m_masks;   ///< [T] lanes of the block that read the key, outside the band
    std::vector<std::uint64_t> m_touched; ///< [T/64] keys whose mask is not empty
};

} // namespace fovea
