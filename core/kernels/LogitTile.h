#pragma once
#include "core/kernels/SoftCap.h"
#include "core/kernels/TileLoops.h"

namespace fovea::kernels {

/// The logits of a rectangle of pairs, for the maps. Lanes are keys. V as in FusedTile.h, f32.
template <class V>
struct LogitTile {
    using F = typename V::F;
    using Loops = TileLoops<V>;
    static constexpr int kL = V::kLanes;
    static constexpr int kB = static_cast<int>(kBlock);

    static void run(const LogitTask& task) {
        alignas(64) float keysT[kMaxHeadDim * kB];
        alignas(64) float zeros[kMaxHeadDim] = {};
        const float factor = task.softCap > 0 ? task.scale / task.softCap : task.scale;
        for (std::size_t key = 0; key < task.keys; key += kB) {
            const int keys = static_cast<int>(task.keys - key < kB ? task.keys - key : kB);
            const float* rows[kB];
            for (int t = 0; t < kB; ++t)
                rows[t] = t < keys ? task.k + (key + static_cast<std::size_t>(t)) * task.kStride : zeros;
            Loops::transposeRows(rows, (keys + kL - 1) / kL, task.headDim, factor, keysT, task.headDim);
            std::size_t row = 0;
            for (; row + V::kKeys <= task.rows; row += V::kKeys)
                plainLogits<V::kKeys>(task, keysT, row, key, keys);
            for (; row < task.rows; ++row)
                plainLogits<1>(task, keysT, row, key, keys);
        }
    }

private:
    template <int Rows>
    static void plainLogits(const LogitTask& task, const float* keysT, std::size_t row, std::size_t key,
                            int keys) {
        const float* rows[Rows];
#pragma GCC unroll 8
        for (int r = 0; r < Rows; ++r)
            rows[r] = task.q + (row + static_cast<std::size_t>(r)) * task.qStride;
        for (int v = 0; v * kL < keys; v += V::kQueryVectors) {
            F s[Rows][V::kQueryVectors];
#pragma GCC unroll 8
            for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 8
                for (int n = 0; n < V::kQueryVectors; ++n)
                    s[r][n] = V::set1(0.0F);
            Loops::template dots<Rows, V::kQueryVectors>(rows, keysT + Loops::panelAt(v * kL, task.headDim),
                                                         task.headDim, s);
            if (task.softCap > 0)
#pragma GCC unroll 8
                for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 8
                    for (int n = 0; n < V::kQueryVectors; ++n)
                        s[r][n] = V::mul(V::set1(task.softCap), SoftCap<V>::tanh(s[r][n]));
            alignas(64) float lanes[Rows][V::kQueryVectors * kL];
#pragma GCC unroll 8
            for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 8
                for (int n = 0; n < V::kQueryVectors; ++n)
                    V::store(lanes[r] + n * kL, s[r][n]);
            const int width = keys - v * kL < V::kQueryVectors * kL ? keys - v * kL : V::kQueryVectors * kL;
#pragma GCC unroll 8
            for (int r = 0; r < Rows; ++r) {
                float* out = task.s + (row + static_cast<std::size_t>(r)) * task.sStride + key +
                             static_cast<std::size_t>(v * kL);
                for (int n = 0; n < width; ++n)
                    out[n] = lanes[r][n];
            }
        }
    }
};

} // namespace fovea::kernels
