#pragma once
#include "core/kernels/KeyRanges.h"
#include "core/kernels/OnlineSoftmax.h"

namespace fovea::kernels {

/// Pools the tiles of the model's own plan into cells (AttentionCells.h) while their weights are in the
/// cache. The weights are relative to the maximum kept at that time, which is recorded per tile; finish()
/// rescales them to the log-sum-exp of the row. The items of a block are adjacent; what lies before the first
/// one (keys outside a native window) is left at 0.
template <class V>
struct TileCells {
    using F = typename V::F;
    using Loops = TileLoops<V>;
    static constexpr int kL = V::kLanes;
    static constexpr int kB = static_cast<int>(kBlock);

    const BlockTask& task;
    const OnlineSoftmax<V>& soft;
    std::size_t firstKey = kNone; ///< of the block's items so far
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

    [[nodiscard]] bool wanted() const { return task.cell != 0; }
    [[nodiscard]] float* sums(std::size_t cell) const { return task.cellScratch + 2 * cell * kBlock; }
    [[nodiscard]] float* tops(std::size_t cell) const { return sums(cell) + kBlock; }
    [[nodiscard]] float* kept(std::size_t tile) const {
        return task.cellScratch + 2 * task.cellCount * kBlock + tile * kBlock;
    }

    /// The weights of key j of the tile for the vector of lanes that begins at t.
    [[nodiscard]] F weights(int j, int t) const {
        const F word = V::load(&soft.weight(j / V::kPair, t));
        if constexpr (V::kPair == 2)
            return j % 2 == 0 ? V::low(word) : V::high(word);
        return word;
    }

    /// Adds keys [key, key + count) of one tile. `ranges`: the keys that each vector read; null: all.
    void add(std::size_t key, int count, int vectors, const KeyRanges<V>* ranges) {
        const int cell = static_cast<int>(task.cell);
        firstKey = firstKey == kNone ? key : firstKey;
        const int before = static_cast<int>(key % task.cell); // keys of the first cell that the item lacks
        for (int v = 0; v < vectors; ++v) {
            const int t = v * kL;
            const int lo = ranges == nullptr ? 0 : ranges->vectorLo[v];
            const int hi = ranges == nullptr ? count : ranges->vectorHi[v];
            V::store(kept(key / kBlock) + t, V::load(soft.negMax + t));
            for (int begin = -before; begin < count; begin += cell) {
                const int first = begin < lo ? lo : begin;
                const int end = begin + cell < hi ? begin + cell : hi;
                F sum = V::set1(0.0F);
                F top = V::set1(0.0F);
                for (int j = first; j < end; ++j) {
                    const F p = weights(j, t);
                    sum = V::add(sum, p);
                    top = V::max(top, p);
                }
                const std::size_t at = static_cast<std::size_t>(static_cast<int>(key) + begin) / task.cell;
                V::store(sums(at) + t, sum);
                V::store(tops(at) + t, top);
            }
        }
    }

    /// Writes the rows of cells of a head. Call it after the head's last tile and before the softmax is
    /// reset.
    void finish(int head, int queries, int vectors) {
        const std::size_t size = task.cellCount * task.cellCount;
        float* mass = task.cellMass + static_cast<std::size_t>(head) * size;
        float* top = task.cellTop + static_cast<std::size_t>(head) * size;
        const std::size_t last = task.block->queryBegin + static_cast<std::size_t>(queries) - 1;
        alignas(64) float normaliser[kB]; // base-2 log-sum-exp
        for (int t = 0; t < vectors * kL; ++t)
            normaliser[t] = ::log2f(soft.sum[t]) - soft.negMax[t];
        const std::size_t perTile = kBlock / task.cell;
        alignas(64) float factor[kB];
        const std::size_t firstCell = firstKey == kNone ? last + 1 : firstKey / task.cell;
        firstKey = kNone;
        for (std::size_t at = firstCell; at <= last / task.cell; ++at) {
            if (at % perTile == 0 || at == firstCell)
                for (int t = 0; t < vectors * kL; t += kL)
                    V::store(factor + t,
                             Loops::exp2(V::sub(V::sub(V::set1(0.0F), V::load(kept(at / perTile) + t)),
                                                V::load(normaliser + t))));
            for (int t = 0; t < vectors * kL; t += kL) {
                V::store(sums(at) + t, V::mul(V::load(sums(at) + t), V::load(factor + t)));
                V::store(tops(at) + t, V::mul(V::load(tops(at) + t), V::load(factor + t)));
            }
            const int cell = static_cast<int>(task.cell);
            for (int begin = 0; begin < queries; begin += cell) {
                const std::size_t row =
                    (task.block->queryBegin + static_cast<std::size_t>(begin)) / task.cell;
                if (at > row) // the tile on the diagonal holds cells above the diagonal
                    continue;
                const int end = begin + cell < queries ? begin + cell : queries;
                mass[row * task.cellCount + at] =
                    total(sums(at), begin, end) / static_cast<float>(end - begin);
                top[row * task.cellCount + at] = greatest(tops(at), begin, end);
            }
        }
    }

private:
    [[nodiscard]] static float total(const float* x, int begin, int end) {
        float lanes[kL] = {};
        float sum = 0;
        for (; begin + kL <= end; begin += kL)
            V::store(lanes, V::add(V::load(lanes), V::load(x + begin)));
        for (; begin < end; ++begin)
            sum += x[begin];
        for (const float lane : lanes)
            sum += lane;
        return sum;
    }
    [[nodiscard]] static float greatest(const float* x, int begin, int end) {
        float most = x[begin];
        for (int t = begin + 1; t < end; ++t)
            most = x[t] > most ? x[t] : most;
        return most;
    }
};

} // namespace fovea::kernels
