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

/// The queries of the block that is being written, with the band of keys that each of them reads.
struct Lanes {
    std::size_t first = 0; ///< query of lane 0
    std::size_t count = 0;
    std::uint64_t active = 0;
    std::array<LaneBound, kBlock> band{}; ///< band of each lane, keys [lo, hi); lo == hi for an inactive lane
    std::size_t bandFirst = 0;            ///< smallest lo of the non-empty bands
    std::size_t bandLastFirst = 0;        ///< largest lo
    std::size_t leastEnd = 0;             ///< smallest hi
    std::size_t end = 0;                  ///< no key at or after this one is read
    const std::uint32_t* list = nullptr;  ///< the queries of the lanes if they are not consecutive

    Lanes() = default;
    /// Lanes for queries first, first + 1, ... with empty bands.
    Lanes(std::size_t firstQuery, std::size_t queries) : first(firstQuery), count(queries) {}
    /// Lanes for the given queries, all active.
    explicit Lanes(const std::vector<std::uint32_t>& queries)
        : first(queries.front()), count(queries.size()), active(lowLanes(queries.size())),
          list(queries.data()) {}

    [[nodiscard]] std::size_t query(std::size_t lane) const {
        return list != nullptr ? list[lane] : first + lane;
    }
    /// Computes the members that follow from the bands, the active lanes and `end`.
    void measure();
};

/// Writes a HeadPlan block by block. The keys of a block are the bands of its lanes and, as masks over the
/// lanes, all other keys. The callers (PlanBuilder, BidirectionalPlan) decide which keys those are. Masks are
/// sets, so a key named by two parts is read once. Not thread-safe. Cost: one step per masked key and T/64
/// steps per block.
class ItemWriter {
public:
    ItemWriter(std::size_t tokens, RowRange rows, NativeWindow native = {});

    /// Keys outside the bands become a tile when it is at least this wide and half full; otherwise they are
    /// gathered.
    static constexpr std::size_t kDenseKeys = 32;

    /// Adds `key` for the lanes in `lanesReading`. Lanes that already read it are not counted again.
    void addMask(std::size_t key, std::uint64_t lanesReading, Reason reason);
    /// Adds keys [first, last) for one lane. Long runs wait, as bits of the lane, until addRuns() turns them
    /// to masks of keys, tile by tile. Cost: one step per run and tile.
    void addRun(std::size_t first, std::size_t last, std::size_t lane, Reason reason);
    /// Adds the keys first + j with bit j of `bits`, which are in one tile, for one lane; they wait too.
    void addBits(std::size_t first, std::uint32_t bits, std::size_t lane);
    /// Adds the keys that wait; must be called before tiles(). Those that are read already are not counted
    /// again.
    void addRuns(Reason reason);
    void countPairs(Reason reason, std::uint64_t pairs);

    void openBlock(const Lanes& lanes);
    /// Writes bands and masks as trimmed Full, Bound and Bitmask tiles. Keys that are not dense remain for
    /// gathers().
    void tiles(const Lanes& lanes);
    /// Writes the intervals of the lanes inside the tile [keyFirst, keyLast) as one trimmed item: Full when
    /// all active lanes read all of it, no item when none reads.
    void bounds(const Lanes& lanes, std::size_t keyFirst, std::size_t keyLast, const LaneBound* bounds);
    /// Writes the dilated windows of the lanes of one phase. With positions divided by the stride each window
    /// is a band.
    void strided(const Lanes& lanes, std::size_t stride, std::size_t window);
    /// Writes keys [keyFirst, keyLast), at most 64, which every active lane reads `multiplicity` times.
    void full(std::size_t keyFirst, std::size_t keyLast, std::uint32_t multiplicity);
    /// Sorts the items of the block by first key; needed because strided items are written first.
    void sortBlock();
    void gathers(const Lanes& lanes);
    void closeBlock();

    /// Returns the plan with its blocks sorted by first query.
    [[nodiscard]] HeadPlan finish();

private:
    void wait(std::size_t tile, std::size_t lane, std::uint64_t keys);
    [[nodiscard]] bool uniform(std::size_t tile) const;
    bool mixedTile(const Lanes& lanes, std::size_t tile);
    void bitmask(std::size_t keyFirst, std::size_t keyLast, const std::uint64_t* lanesOfKeys);

    HeadPlan m_plan;
    QueryBlock m_block;                   ///< the block being written
    std::vector<std::uint64_t> m_masks;   ///< [T] lanes that read the key, for keys outside the bands
    std::vector<std::uint64_t> m_touched; ///< [T/64] bit set of keys whose mask is not empty
    std::vector<std::uint64_t>
        m_waiting; ///< [T/64][64 lanes] keys of the tile that wait for addRuns(), or empty
    std::vector<std::uint8_t> m_waits; ///< [T/64] whether any key of the tile waits
};

} // namespace fovea
