#include "core/route/DotTiles_avx512.h"

namespace fovea {

namespace {

/// The integer dots of `Rows` queries and one group.
template <std::size_t Rows>
inline __attribute__((always_inline)) void intSums(const unsigned char* group, const unsigned char* queries,
                                                   std::size_t dim, __m512i (&out)[Rows]) {
    const std::size_t queryBytes = pairQueryBytes(dim);
    const std::size_t steps = (dim + 1) / 2;
    __m512i sums[Rows];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r)
        sums[r] = _mm512_setzero_si512();
#pragma GCC unroll 1
    for (std::size_t pair = 0; pair < steps; ++pair) {
        const __m512i k = _mm512_loadu_si512(group + pair * 64);
#pragma GCC unroll 8
        for (std::size_t r = 0; r < Rows; ++r) {
            std::int32_t word = 0;
            __builtin_memcpy(&word, queries + r * queryBytes + 4 * pair, 4);
            sums[r] = _mm512_add_epi32(sums[r], _mm512_madd_epi16(k, _mm512_set1_epi32(word)));
            __asm__("" : "+v"(sums[r])); // in place: g++ 12 copies and spills otherwise
        }
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r)
        out[r] = sums[r];
}

template <std::size_t Rows>
void intRows(const unsigned char* group, const float* step, const unsigned char* queries, std::size_t dim,
             float* out, std::size_t outStride) {
    __m512i sums[Rows];
    intSums<Rows>(group, queries, dim, sums);
    const __m512 steps = _mm512_loadu_ps(step);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r)
        _mm512_storeu_ps(out + r * outStride,
                         _mm512_mul_ps(_mm512_maskz_cvtepi32_ps(0xFFFF, sums[r]), steps));
}

template <std::size_t Rows>
void siftRows(const unsigned char* group, std::size_t groups, const float* step, const unsigned char* queries,
              std::size_t dim, std::uint32_t key, SiftRow* sift) {
    for (std::size_t g = 0; g < groups; ++g, group += pairGroupBytes(dim), step += 16, key += 16) {
        __m512i sums[Rows];
        intSums<Rows>(group, queries, dim, sums);
        const __m512 steps = _mm512_loadu_ps(step);
#pragma GCC unroll 8
        for (std::size_t r = 0; r < Rows; ++r)
            sift512(sift[r], _mm512_mul_ps(_mm512_maskz_cvtepi32_ps(0xFFFF, sums[r]), steps), key);
    }
}

void intSift(const unsigned char* keyGroups, std::size_t groups, const float* step,
             const unsigned char* queries, std::size_t rows, std::size_t dim, std::uint32_t key,
             SiftRow* sift) {
    std::size_t r = 0;
    for (; r + 8 <= rows; r += 8)
        siftRows<8>(keyGroups, groups, step, queries + r * pairQueryBytes(dim), dim, key, sift + r);
    for (; r < rows; ++r)
        siftRows<1>(keyGroups, groups, step, queries + r * pairQueryBytes(dim), dim, key, sift + r);
}

void intTile(const unsigned char* keyGroups, std::size_t groups, const float* step,
             const unsigned char* queries, std::size_t rows, std::size_t dim, float* out,
             std::size_t outStride) {
    const std::size_t groupBytes = pairGroupBytes(dim);
    const std::size_t queryBytes = pairQueryBytes(dim);
    for (std::size_t g = 0; g < groups; ++g) {
        const unsigned char* group = keyGroups + g * groupBytes;
        std::size_t r = 0;
        for (; r + 8 <= rows; r += 8)
            intRows<8>(group, step + g * 16, queries + r * queryBytes, dim, out + r * outStride + g * 16,
                       outStride);
        for (; r < rows; ++r)
            intRows<1>(group, step + g * 16, queries + r * queryBytes, dim, out + r * outStride + g * 16,
                       outStride);
    }
}

} // namespace

extern const DotKernels kAvx512Dots;
const DotKernels kAvx512Dots = {
    "avx512",     loopRound, pairGroupBytes, pairQueryBytes,   packPairs,        packPairQuery,
    intTile,      intSift,   floatTile512,   loopExactColumns, loopDraws,        filter512,
    loopGreatest, loopLeast, loopAtLeast,    loopPlaces,       loopExponentials, loopAddExponentials};

} // namespace fovea
