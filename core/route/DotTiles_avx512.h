#pragma once
#include "core/route/DotLoops.h"
#include <immintrin.h>

// What the two AVX-512 sets share (internal linkage, raw pointers only).
namespace fovea {
namespace {

template <std::size_t Rows>
inline void floatRows512(const float* group, float scale, const float* queries, std::size_t queryStride,
                         std::size_t dim, float* out, std::size_t outStride) {
    __m512 sums[Rows];
    for (std::size_t r = 0; r < Rows; ++r)
        sums[r] = _mm512_setzero_ps();
    for (std::size_t d = 0; d < dim; ++d) {
        const __m512 k = _mm512_loadu_ps(group + d * 16);
        for (std::size_t r = 0; r < Rows; ++r)
            sums[r] = _mm512_fmadd_ps(_mm512_set1_ps(queries[r * queryStride + d]), k, sums[r]);
    }
    for (std::size_t r = 0; r < Rows; ++r)
        _mm512_storeu_ps(out + r * outStride, _mm512_mul_ps(sums[r], _mm512_set1_ps(scale)));
}

inline void floatTile512(const float* keyGroups, std::size_t groups, float scale, const float* queries,
                         std::size_t queryStride, std::size_t rows, std::size_t dim, float* out,
                         std::size_t outStride) {
    for (std::size_t g = 0; g < groups; ++g) {
        const float* group = keyGroups + g * dim * 16;
        std::size_t r = 0;
        for (; r + 8 <= rows; r += 8)
            floatRows512<8>(group, scale, queries + r * queryStride, queryStride, dim,
                            out + r * outStride + g * 16, outStride);
        for (; r < rows; ++r)
            floatRows512<1>(group, scale, queries + r * queryStride, queryStride, dim,
                            out + r * outStride + g * 16, outStride);
    }
}

/// Rare, so it stays out of the loop's registers.
__attribute__((noinline)) void keepGroup(SiftRow& row, __m512 scores, std::uint32_t kept, std::uint32_t key) {
    kept &= openKeys(row, key);
    const auto mask = static_cast<__mmask16>(kept);
    const __m512i keys =
        _mm512_add_epi32(_mm512_set1_epi32(static_cast<std::int32_t>(key)),
                         _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    _mm512_storeu_ps(row.values + row.found, _mm512_maskz_compress_ps(mask, scores));
    _mm512_storeu_si512(row.keys + row.found, _mm512_maskz_compress_epi32(mask, keys));
    row.found += static_cast<std::size_t>(__builtin_popcount(kept));
}

/// One row's scores of a group, compared with its bar while they stand in a register.
inline __attribute__((always_inline)) void sift512(SiftRow& row, __m512 scores, std::uint32_t key) {
    const std::uint32_t kept = _mm512_cmp_ps_mask(scores, _mm512_set1_ps(row.bar), _CMP_NLT_UQ);
    if (__builtin_expect(kept != 0, 0))
        keepGroup(row, scores, kept, key);
}

inline std::size_t filter512(const float* scores, std::size_t count, const std::uint64_t* blocked, float bar,
                             std::uint32_t base, float* values, std::uint32_t* keys) {
    std::size_t found = 0;
    const __m512 limit = _mm512_set1_ps(bar);
    __m512i index = _mm512_add_epi32(_mm512_set1_epi32(static_cast<std::int32_t>(base)),
                                     _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    for (std::size_t j = 0; j < count; j += 16) {
        const __mmask16 inside = count - j >= 16 ? static_cast<__mmask16>(0xFFFF)
                                                 : static_cast<__mmask16>((1U << (count - j)) - 1U);
        const __m512 s = _mm512_maskz_loadu_ps(inside, scores + j);
        const auto open = static_cast<__mmask16>(~(blocked[j / 64] >> (j % 64)) & inside);
        const __mmask16 mask = _mm512_mask_cmp_ps_mask(open, s, limit, _CMP_NLT_UQ);
        if (mask != 0) { // compressing straight to memory is microcoded on Zen 4
            _mm512_storeu_ps(values + found, _mm512_maskz_compress_ps(mask, s));
            _mm512_storeu_si512(keys + found, _mm512_maskz_compress_epi32(mask, index));
            found += static_cast<std::size_t>(__builtin_popcount(mask));
        }
        index = _mm512_add_epi32(index, _mm512_set1_epi32(16));
    }
    return found;
}

} // namespace
} // namespace fovea
