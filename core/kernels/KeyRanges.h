#pragma once
#include "core/kernels/BlockKernel.h"

namespace fovea::kernels {

/// The keys of an item that each lane of a query block reads, and the unions of these ranges over vectors of
/// lanes and over the query groups of PV. Keys outside a union are neither multiplied nor masked. Positions
/// are relative to the item's first key.
template <class V>
struct KeyRanges {
    static constexpr int kL = V::kLanes;
    static constexpr int kB = static_cast<int>(kBlock);
    static constexpr int kVectors = kB / kL;
    static constexpr int kGroups = kB / V::kQueries;

    float* laneLo; ///< [lanes] first key of the lane in a Bound item
    float* laneHi;
    /// Lanes of each key of a Bitmask or Gather tile, including the other halves of words at both ends.
    std::uint64_t keyLanes[kB + 2 * (V::kPair - 1)];
    int vectorLo[kVectors];
    int vectorHi[kVectors];
    int groupLo[kGroups];
    int groupHi[kGroups];
    std::uint64_t groupKeys[kGroups]; ///< f32 Bitmask tiles: bit j: a lane of the PV group reads key j

    KeyRanges(float* lo, float* hi) : laneLo(lo), laneHi(hi) {}

    /// Sets every lane to read keys [0, count).
    void setWhole(int count) {
        for (int g = 0; g < kGroups; ++g) {
            groupLo[g] = 0;
            groupHi[g] = count;
        }
    }

    /// Number of strides up to the first key at or after `distance`.
    [[nodiscard]] static std::int64_t steps(std::int64_t distance, std::uint32_t stride) {
        return stride == 1 || distance <= 0 ? distance : (distance + stride - 1) / stride;
    }

    /// Sets the key range of each lane relative to `base`, and the unions over vectors and over the query
    /// groups of PV.
    void setBounds(const BlockTask& task, const PlanItem& item, std::size_t base) {
        const std::int64_t first = static_cast<std::int64_t>(base);
        const std::int64_t least = std::int64_t{item.key} - first;
        const std::int64_t most = least + std::int64_t{item.count};
        std::int32_t lows[kB];
        std::int32_t highs[kB];
        for (int t = 0; t < kB; ++t) {
            std::int64_t lo = 0;
            std::int64_t hi = 0;
            if (t < static_cast<int>(task.block->queryCount) && ((task.block->activeLanes >> t) & 1U) != 0) {
                lo = least;
                hi = most;
                if (item.kind == ItemKind::Bound) {
                    const LaneBound& bound = task.bounds[item.data + static_cast<std::uint32_t>(t)];
                    lo = steps(std::int64_t{bound.lo} - first, item.stride);
                    hi = steps(std::int64_t{bound.hi} - first, item.stride);
                    lo = lo < least ? least : lo;
                    hi = hi > most ? most : hi;
                }
                if (lo >= hi)
                    lo = hi = 0;
            }
            lows[t] = static_cast<std::int32_t>(lo);
            highs[t] = static_cast<std::int32_t>(hi);
            laneLo[t] = static_cast<float>(lo);
            laneHi[t] = static_cast<float>(hi);
        }
        unite(lows, highs, kL, kVectors, vectorLo, vectorHi);
        unite(lows, highs, V::kQueries, kGroups, groupLo, groupHi);
    }

    /// Like setBounds, from bit masks: keys before the first or after the last one that a vector's lanes read
    /// are skipped.
    void setMasks(const BlockTask& task, const PlanItem& item, std::size_t base, int count) {
        const int before = static_cast<int>(item.key - base);
        std::int32_t lows[kB] = {};
        std::int32_t highs[kB] = {};
        std::uint64_t seen = 0;
        for (int j = 0; j < count; ++j) {
            const int n = j - before;
            keyLanes[j] =
                n < 0 || n >= static_cast<int>(item.count)
                    ? 0
                    : task.masks[item.data + static_cast<std::uint32_t>(n)] & task.block->activeLanes;
            for (std::uint64_t fresh = keyLanes[j] & ~seen; fresh != 0; fresh &= fresh - 1)
                lows[__builtin_ctzll(fresh)] = j;
            seen |= keyLanes[j];
        }
        seen = 0;
        for (int j = count - 1; j >= 0; --j) {
            for (std::uint64_t fresh = keyLanes[j] & ~seen; fresh != 0; fresh &= fresh - 1)
                highs[__builtin_ctzll(fresh)] = j + 1;
            seen |= keyLanes[j];
        }
        unite(lows, highs, kL, kVectors, vectorLo, vectorHi);
        unite(lows, highs, V::kQueries, kGroups, groupLo, groupHi);
        if constexpr (V::kPair == 1) {
            constexpr std::uint64_t kGroupLanes = (std::uint64_t{1} << V::kQueries) - 1;
            for (int g = 0; g < kGroups; ++g)
                groupKeys[g] = 0;
            for (int j = 0; j < count; ++j)
                for (int g = 0; g < kGroups; ++g)
                    groupKeys[g] |= std::uint64_t{((keyLanes[j] >> (g * V::kQueries)) & kGroupLanes) != 0}
                                    << j;
        }
    }

    /// Whether a lane of vector n reads one of the keys that `lanes` are the lanes of.
    [[nodiscard]] static bool vectorReads(std::uint64_t lanes, int n) {
        return ((lanes >> (n * kL)) & ((std::uint64_t{1} << kL) - 1)) != 0;
    }

    static void unite(const std::int32_t* lows, const std::int32_t* highs, int width, int groups, int* lo,
                      int* hi) {
        for (int g = 0; g < groups; ++g) {
            lo[g] = kB;
            hi[g] = 0;
            for (int t = g * width; t < (g + 1) * width && t < kB; ++t) {
                if (lows[t] == highs[t])
                    continue;
                lo[g] = lows[t] < lo[g] ? lows[t] : lo[g];
                hi[g] = highs[t] > hi[g] ? highs[t] : hi[g];
            }
        }
    }
};

} // namespace fovea::kernels
