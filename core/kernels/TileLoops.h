#pragma once
#include "core/kernels/BlockKernel.h"

namespace fovea::kernels {

/// Loops shared by the fused tile and the logit tiles: transposing rows, dot products of a few rows with a
/// few vectors, and packing f32 rows into bf16 words. V and "word" as in FusedTile.h.
template <class V>
struct TileLoops {
    using F = typename V::F;
    static constexpr int kL = V::kLanes;
    static constexpr int kB = static_cast<int>(kBlock);
    /// Lanes are stored in panels as wide as the inner loop reads. In rows of all 64 lanes it would read
    /// cache lines 256 bytes apart, which collide in the first-level cache.
    static constexpr int kPanel = V::kQueryVectors * kL;
    static_assert(kB % kPanel == 0);

    /// The offset of lane `lane` in panels of `rows` rows [64 / kPanel][rows][kPanel].
    [[nodiscard]] static constexpr int panelAt(int lane, int rows) {
        return lane / kPanel * kPanel * rows + lane % kPanel;
    }

    /// out, panels of `panelRows` >= dim rows: row d of lane t = rows[t][d] * factor for lanes [0,
    /// vectors*kLanes).
    static void transposeRows(const float* const* rows, int vectors, int dim, float factor, float* out,
                              int panelRows) {
        for (int v = 0; v < vectors; ++v) {
            float* to = out + panelAt(v * kL, panelRows);
            int d = 0;
            for (; d + kL <= dim; d += kL)
                V::transpose(rows + v * kL, d, factor, to + d * kPanel, kPanel);
            for (; d < dim; ++d)
                for (int t = 0; t < kL; ++t)
                    to[d * kPanel + t] = rows[v * kL + t][d] * factor;
        }
    }

    [[nodiscard]] static const float* keyRow(const BlockTask& task, std::size_t key) {
        return V::kPair == 2 ? task.packedK + key * wordPitch(task.headDim) : task.k + key * task.kStride;
    }
    /// The row with the values of the key; in bf16 it also holds those of the other key of its word.
    [[nodiscard]] static const float* valueRow(const BlockTask& task, std::size_t key) {
        return V::kPair == 2 ? task.packedV + key / 2 * paddedDim(task.headDim) : task.v + key * task.vStride;
    }

    /// s[k][n] += sum over d of rows[k][d] * columns[d][n], d in words, columns in a panel. This is the inner
    /// loop of QK.
    template <int Keys, int Vectors>
    [[gnu::always_inline]] static void dots(const float* const (&rows)[Keys], const float* columns, int steps,
                                            F (&s)[Keys][Vectors]) {
        for (int d = 0; d < steps; ++d, columns += kPanel) {
            F x[Vectors];
#pragma GCC unroll 8
            for (int n = 0; n < Vectors; ++n)
                x[n] = V::load(columns + n * kL);
#pragma GCC unroll 8
            for (int k = 0; k < Keys; ++k) {
                const F y = V::set1(rows[k][d]);
#pragma GCC unroll 8
                for (int n = 0; n < Vectors; ++n)
                    s[k][n] = V::dot(x[n], y, s[k][n]);
            }
        }
    }

    /// 2^x for x <= 8 with relative error 7.5e-8, or 7.5e-5 when the result becomes bf16. Results below
    /// 2^-126 are 2^-126; NaN stays NaN.
    [[gnu::always_inline]] static F exp2(F x) {
        if constexpr (V::kPair == 1)
            return fineExp2(x);
        const F magic = V::set1(12582912.0F); // 1.5 * 2^23: adding it rounds to an integer
        x = V::max(V::set1(-126.0F), x);
        const F t = V::add(x, magic);
        const F r = V::sub(x, V::sub(t, magic));
        F p = V::fma(V::set1(0.055171669F), r, V::set1(0.24261113F));
        p = V::fma(p, r, V::set1(0.69326097F));
        p = V::fma(p, r, V::set1(0.99992806F));
        return V::scaleByPower(p, t);
    }

    /// 2^x for x <= 30 with relative error 7.5e-8, also where words are bf16.
    [[gnu::always_inline]] static F fineExp2(F x) {
        const F magic = V::set1(12582912.0F);
        x = V::max(V::set1(-126.0F), x);
        const F t = V::add(x, magic);
        const F r = V::sub(x, V::sub(t, magic));
        F p = V::set1(0.0013276472F);
        p = V::fma(p, r, V::set1(0.0096755410F));
        p = V::fma(p, r, V::set1(0.055507131F));
        p = V::fma(p, r, V::set1(0.24022120F));
        p = V::fma(p, r, V::set1(0.69314694F));
        p = V::fma(p, r, V::set1(1.0000001F));
        return V::scaleByPower(p, t);
    }

    /// Packs K (two dimensions per word) and V (two keys per word) to bf16, with zeros beyond the ends.
    static void packKeys(const PackTask& task) {
        const std::size_t pitch = paddedDim(task.headDim);
        const std::size_t words = wordPitch(task.headDim);
        const std::size_t dim = static_cast<std::size_t>(task.headDim);
        alignas(64) float zeros[kMaxHeadDim] = {};
        for (std::size_t key = task.first; key < task.last; key += 2) {
            const float* k[2];
            const float* v[2];
            for (std::size_t n = 0; n < 2; ++n) {
                k[n] = key + n < task.keys ? task.k + (key + n) * task.kStride : zeros;
                v[n] = key + n < task.keys ? task.v + (key + n) * task.vStride : zeros;
                wordRow(k[n], task.headDim, words, 1.0F, task.packedK + (key + n) * words);
            }
            pairRows(v[0], v[1], dim, pitch, task.packedV + key * (pitch / 2));
        }
    }

    /// to[d] = the word of a[d] and b[d]; zero in [dim, pitch).
    static void pairRows(const float* a, const float* b, std::size_t dim, std::size_t pitch, float* to) {
        std::size_t d = 0;
        for (; d + kL <= dim; d += kL)
            V::store(to + d, V::pairs(V::load(a + d), V::load(b + d)));
        for (; d < pitch; d += kL) {
            alignas(64) float rest[2][kL] = {};
            for (std::size_t n = d; n < dim && n < d + kL; ++n) {
                rest[0][n - d] = a[n];
                rest[1][n - d] = b[n];
            }
            V::store(to + d, V::pairs(V::load(rest[0]), V::load(rest[1])));
        }
    }

    /// to[i] = the word of from[2i] * factor and from[2i+1] * factor for i < words; zero beyond dim.
    static void wordRow(const float* from, int dim, std::size_t words, float factor, float* to) {
        const std::size_t count = static_cast<std::size_t>(dim);
        for (std::size_t i = 0; i < words; i += kL) {
            const std::size_t d = 2 * i;
            if (d + 2 * kL <= count) {
                V::store(to + i, V::words(from + d, factor));
                continue;
            }
            alignas(64) float rest[2 * kL] = {};
            for (std::size_t n = d; n < count; ++n)
                rest[n - d] = from[n];
            V::store(to + i, V::words(rest, factor));
        }
    }
};

} // namespace fovea::kernels
