#include "core/route/DotLoops.h"
#include <immintrin.h>

namespace fovea {

namespace {

/// The integer dots of `Rows` queries and one group: [r] of its keys 0 to 7, [Rows + r] of the others.
template <std::size_t Rows>
inline __attribute__((always_inline)) void intSums(const unsigned char* group, const unsigned char* queries,
                                                   std::size_t dim, __m256i (&out)[2 * Rows]) {
    const std::size_t queryBytes = pairQueryBytes(dim);
    const std::size_t pairs = (dim + 1) / 2;
    __m256i sums[2 * Rows];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < 2 * Rows; ++r)
        sums[r] = _mm256_setzero_si256();
    const unsigned char* const last = group + pairs * 64;
#pragma GCC unroll 1
    for (; group != last; group += 64, queries += 4) {
        const __m256i k0 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(group));
        const __m256i k1 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(group + 32));
#pragma GCC unroll 8
        for (std::size_t r = 0; r < Rows; ++r) {
            std::int32_t word = 0;
            __builtin_memcpy(&word, queries + r * queryBytes, 4);
            const __m256i q = _mm256_set1_epi32(word);
            sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(k0, q));
            sums[Rows + r] = _mm256_add_epi32(sums[Rows + r], _mm256_madd_epi16(k1, q));
            __asm__("" : "+x"(sums[r]), "+x"(sums[Rows + r])); // in order: g++ 12 spills otherwise
        }
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < 2 * Rows; ++r)
        out[r] = sums[r];
}

template <std::size_t Rows>
void intRows(const unsigned char* group, const float* step, const unsigned char* queries, std::size_t dim,
             float* out, std::size_t outStride) {
    __m256i sums[2 * Rows];
    intSums<Rows>(group, queries, dim, sums);
    for (std::size_t r = 0; r < Rows; ++r)
        for (std::size_t half = 0; half < 2; ++half)
            _mm256_storeu_ps(
                out + r * outStride + 8 * half,
                _mm256_mul_ps(_mm256_cvtepi32_ps(sums[half * Rows + r]), _mm256_loadu_ps(step + 8 * half)));
}

void intTile(const unsigned char* keyGroups, std::size_t groups, const float* step,
             const unsigned char* queries, std::size_t rows, std::size_t dim, float* out,
             std::size_t outStride) {
    const std::size_t groupBytes = pairGroupBytes(dim);
    const std::size_t queryBytes = pairQueryBytes(dim);
    for (std::size_t g = 0; g < groups; ++g) {
        const unsigned char* group = keyGroups + g * groupBytes;
        std::size_t r = 0;
        for (; r + 4 <= rows; r += 4)
            intRows<4>(group, step + g * 16, queries + r * queryBytes, dim, out + r * outStride + g * 16,
                       outStride);
        for (; r < rows; ++r)
            intRows<1>(group, step + g * 16, queries + r * queryBytes, dim, out + r * outStride + g * 16,
                       outStride);
    }
}

/// Rare, so it stays out of the loop's registers.
__attribute__((noinline)) void keepGroup(SiftRow& row, __m256 low, __m256 high, std::uint32_t kept,
                                         std::uint32_t key) {
    float scores[kGroupKeys];
    _mm256_storeu_ps(scores, low);
    _mm256_storeu_ps(scores + 8, high);
    keepScores(row, kept & openKeys(row, key), scores, key);
}

template <std::size_t Rows>
void siftRows(const unsigned char* group, std::size_t groups, const float* step, const unsigned char* queries,
              std::size_t dim, std::uint32_t key, SiftRow* sift) {
    const std::size_t groupBytes = pairGroupBytes(dim);
    for (std::size_t g = 0; g < groups; ++g, group += groupBytes, step += 16, key += 16) {
        __m256i sums[2 * Rows];
        intSums<Rows>(group, queries, dim, sums);
        const __m256 step0 = _mm256_loadu_ps(step);
        const __m256 step1 = _mm256_loadu_ps(step + 8);
        const auto notBelow = [](__m256 scores, __m256 bar) {
            return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(scores, bar, _CMP_NLT_UQ)));
        };
#pragma GCC unroll 8
        for (std::size_t r = 0; r < Rows; ++r) {
            const __m256 low = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[r]), step0);
            const __m256 high = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[Rows + r]), step1);
            const __m256 bar = _mm256_set1_ps(sift[r].bar);
            const std::uint32_t kept = notBelow(low, bar) | notBelow(high, bar) << 8;
            if (__builtin_expect(kept != 0, 0))
                keepGroup(sift[r], low, high, kept, key);
        }
    }
}

void intSift(const unsigned char* keyGroups, std::size_t groups, const float* step,
             const unsigned char* queries, std::size_t rows, std::size_t dim, std::uint32_t key,
             SiftRow* sift) {
    const std::size_t queryBytes = pairQueryBytes(dim);
    std::size_t r = 0;
    for (; r + 4 <= rows; r += 4)
        siftRows<4>(keyGroups, groups, step, queries + r * queryBytes, dim, key, sift + r);
    for (; r < rows; ++r)
        siftRows<1>(keyGroups, groups, step, queries + r * queryBytes, dim, key, sift + r);
}

template <std::size_t Rows>
void floatRows(const float* group, float scale, const float* queries, std::size_t queryStride,
               std::size_t dim, float* out, std::size_t outStride) {
    __m256 low[Rows];
    __m256 high[Rows];
    for (std::size_t r = 0; r < Rows; ++r)
        low[r] = high[r] = _mm256_setzero_ps();
    for (std::size_t d = 0; d < dim; ++d) {
        const __m256 k0 = _mm256_loadu_ps(group + d * 16);
        const __m256 k1 = _mm256_loadu_ps(group + d * 16 + 8);
        for (std::size_t r = 0; r < Rows; ++r) {
            const __m256 q = _mm256_set1_ps(queries[r * queryStride + d]);
            low[r] = _mm256_fmadd_ps(q, k0, low[r]);
            high[r] = _mm256_fmadd_ps(q, k1, high[r]);
        }
    }
    const __m256 factor = _mm256_set1_ps(scale);
    for (std::size_t r = 0; r < Rows; ++r) {
        _mm256_storeu_ps(out + r * outStride, _mm256_mul_ps(low[r], factor));
        _mm256_storeu_ps(out + r * outStride + 8, _mm256_mul_ps(high[r], factor));
    }
}

/// One query and several groups: their sums do not wait for each other.
template <std::size_t Groups>
void floatGroups(const float* keyGroups, float scale, const float* query, std::size_t dim, float* out) {
    __m256 sums[2 * Groups];
#pragma GCC unroll 8
    for (std::size_t n = 0; n < 2 * Groups; ++n)
        sums[n] = _mm256_setzero_ps();
    for (std::size_t d = 0; d < dim; ++d) {
        const __m256 q = _mm256_set1_ps(query[d]);
#pragma GCC unroll 8
        for (std::size_t n = 0; n < 2 * Groups; ++n)
            sums[n] =
                _mm256_fmadd_ps(q, _mm256_loadu_ps(keyGroups + (n / 2 * dim + d) * 16 + n % 2 * 8), sums[n]);
    }
    const __m256 factor = _mm256_set1_ps(scale);
#pragma GCC unroll 8
    for (std::size_t n = 0; n < 2 * Groups; ++n)
        _mm256_storeu_ps(out + n * 8, _mm256_mul_ps(sums[n], factor));
}

void floatTile(const float* keyGroups, std::size_t groups, float scale, const float* queries,
               std::size_t queryStride, std::size_t rows, std::size_t dim, float* out,
               std::size_t outStride) {
    std::size_t first = 0;
    if (rows == 1) {
        for (; first + 4 <= groups; first += 4)
            floatGroups<4>(keyGroups + first * dim * 16, scale, queries, dim, out + first * 16);
        for (; first + 2 <= groups; first += 2)
            floatGroups<2>(keyGroups + first * dim * 16, scale, queries, dim, out + first * 16);
    }
    for (std::size_t g = first; g < groups; ++g) {
        const float* group = keyGroups + g * dim * 16;
        std::size_t r = 0;
        for (; r + 4 <= rows; r += 4)
            floatRows<4>(group, scale, queries + r * queryStride, queryStride, dim,
                         out + r * outStride + g * 16, outStride);
        for (; r < rows; ++r)
            floatRows<1>(group, scale, queries + r * queryStride, queryStride, dim,
                         out + r * outStride + g * 16, outStride);
    }
}

std::size_t filter(const float* scores, std::size_t count, const std::uint64_t* blocked, float bar,
                   std::uint32_t base, float* values, std::uint32_t* keys) {
    std::size_t found = 0;
    const __m256 limit = _mm256_set1_ps(bar);
    std::size_t j = 0;
    for (; j + 8 <= count; j += 8) {
        const __m256 s = _mm256_loadu_ps(scores + j);
        auto mask = static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(s, limit, _CMP_NLT_UQ)));
        mask &= ~static_cast<std::uint32_t>(blocked[j / 64] >> (j % 64)) & 0xFFU;
        for (; mask != 0; mask &= mask - 1) {
            const auto lane = static_cast<std::size_t>(__builtin_ctz(mask));
            values[found] = scores[j + lane];
            keys[found] = base + static_cast<std::uint32_t>(j + lane);
            ++found;
        }
    }
    for (; j < count; ++j) {
        if (scores[j] < bar || (blocked[j / 64] >> (j % 64) & 1U) != 0)
            continue;
        values[found] = scores[j];
        keys[found] = base + static_cast<std::uint32_t>(j);
        ++found;
    }
    return found;
}

} // namespace

extern const DotKernels kAvx2Dots;
const DotKernels kAvx2Dots = {
    "avx2",       loopRound, pairGroupBytes, pairQueryBytes,   packPairs,        packPairQuery,
    intTile,      intSift,   floatTile,      loopExactColumns, loopDraws,        filter,
    loopGreatest, loopLeast, loopAtLeast,    loopPlaces,       loopExponentials, loopAddExponentials};

} // namespace fovea
