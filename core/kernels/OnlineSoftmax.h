#pragma once
#include "core/kernels/TileLoops.h"
#include <cmath>

namespace fovea::kernels {

/// Online softmax of up to 64 rows (Milakov and Gimelshein, 2018, 1805.02867) with a lazy maximum: the kept
/// maximum is raised only when a logit exceeds it by 8 (in log2 units), so O is rescaled a few times per row
/// at most. Everything is in log2 units. Lanes are queries.
template <class V>
struct OnlineSoftmax {
    using F = typename V::F;
    using Loops = TileLoops<V>;
    static constexpr int kL = V::kLanes;
    static constexpr int kB = static_cast<int>(kBlock);
    static constexpr int kPair = V::kPair;
    static constexpr float kLn2 = 0.69314718055994530942F;
    static constexpr float kKeptGrowth = 8.0F; ///< P stays below 2^8, so sums keep their precision
    static constexpr float kInfinity = __builtin_inff();

    float* negMax; ///< negated kept maximum of the row; 0 before the first key
    float* bar;    ///< by how much a logit may exceed it; -inf before the first key
    float* sum;
    float* top;   ///< largest logit of a tile, minus the kept maximum
    float* delta; ///< by how much the last raise increased the maximum
    float* p;     ///< panels of 64 rows, one row per key, in words
    float* o;     ///< [lanes][pitch]
    std::size_t pitch;

    [[nodiscard]] float& weight(int j, int t) const { return p[Loops::panelAt(t, kB) + j * Loops::kPanel]; }

    void reset(int queries) {
        for (int t = 0; t < kB; t += kL) {
            V::store(negMax + t, V::set1(0.0F));
            V::store(bar + t, V::set1(-kInfinity));
            V::store(sum + t, V::set1(0.0F));
        }
        for (std::size_t i = 0; i < static_cast<std::size_t>(queries) * pitch; i += kL)
            V::store(o + i, V::set1(0.0F));
    }

    /// Raises the kept maximum of the lanes in [begin, end) whose top exceeds the bar, and rescales their
    /// sums, O, and P of the item's keys before `keys`.
    [[gnu::noinline]] void raiseMax(int begin, int end, int keys) {
        for (int t = begin; t < end; ++t) {
            delta[t] = 0.0F;
            if (!(top[t] > bar[t]))
                continue;
            const float growth = top[t];
            const bool fresh = bar[t] < 0.0F;
            delta[t] = growth;
            negMax[t] -= growth;
            bar[t] = kKeptGrowth;
            if (fresh)
                continue;
            const float factor = std::exp2f(-growth);
            sum[t] *= factor;
            for (int j = 0; j < keys / kPair; ++j)
                weight(j, t) = scaled(weight(j, t), factor);
            float* row = o + static_cast<std::size_t>(t) * pitch;
            for (std::size_t d = 0; d < pitch; d += kL)
                V::store(row + d, V::mul(V::load(row + d), V::set1(factor)));
        }
    }

    [[nodiscard]] static float scaled(float word, float factor) {
        if constexpr (kPair == 1) {
            return word * factor;
        } else {
            const F w = V::set1(word);
            alignas(64) float lanes[kL];
            V::store(lanes,
                     V::pairs(V::mul(V::low(w), V::set1(factor)), V::mul(V::high(w), V::set1(factor))));
            return lanes[0];
        }
    }

    /// Writes the unnormalised rows, to be merged with other parts.
    void finishPart(const BlockTask& task, int head) const {
        const auto queries = static_cast<int>(task.block->queryCount);
        float* to = task.part + static_cast<std::size_t>(head) * kShortRows * partFloats(task.headDim);
        for (int t = 0; t < queries; ++t, to += partFloats(task.headDim)) {
            to[0] = negMax[t];
            to[1] = sum[t];
            const float* from = o + static_cast<std::size_t>(t) * pitch;
            for (std::size_t d = 0; d < pitch; d += kL)
                V::store(to + 16 + d, V::load(from + d));
        }
    }

    /// Writes rows `rowOf(lane)` of o and log-sum-exp, for active lanes only.
    template <class RowOf>
    void finish(const BlockTask& task, int head, const RowOf& rowOf) const {
        const auto queries = static_cast<int>(task.block->queryCount);
        const std::size_t column = static_cast<std::size_t>(head) * static_cast<std::size_t>(task.headDim);
        const std::size_t dim = static_cast<std::size_t>(task.headDim);
        for (int t = 0; t < queries; ++t) {
            if (((task.block->activeLanes >> t) & 1U) == 0)
                continue;
            const std::size_t query = rowOf(t);
            const float total = sum[t];
            const float factor = total == 0.0F ? 0.0F : 1.0F / total;
            const float* from = o + static_cast<std::size_t>(t) * pitch;
            float* to = task.o + query * task.oStride + column;
            std::size_t d = 0;
            for (; d + kL <= dim; d += kL)
                V::store(to + d, V::mul(V::load(from + d), V::set1(factor)));
            for (; d < dim; ++d)
                to[d] = from[d] * factor;
            if (task.lse != nullptr)
                task.lse[query * task.lseStride + static_cast<std::size_t>(head)] =
                    total == 0.0F ? -kInfinity : ::logf(total) - negMax[t] * kLn2;
        }
    }
};

} // namespace fovea::kernels
