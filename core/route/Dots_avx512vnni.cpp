#include "core/route/DotTiles_avx512.h"

// vpdpbusd multiplies unsigned by signed bytes, so keys are stored plus 128 and each query starts at -128 *
// (its own sum).
namespace fovea {

namespace {

std::size_t quads(std::size_t dim) {
    return (dim + 3) / 4;
}
std::size_t groupBytes(std::size_t dim) {
    return quads(dim) * kGroupKeys * 4;
}
std::size_t queryBytes(std::size_t dim) {
    return quads(dim) * 4 + 4;
} // the sum comes first

void packKeys(const std::int8_t* keys, std::size_t count, std::size_t dim, unsigned char* group) {
    for (std::size_t key = 0; key < kGroupKeys; ++key)
        for (std::size_t quad = 0; quad < quads(dim); ++quad) {
            std::uint32_t bytes = 0;
            if (key < count)
                __builtin_memcpy(&bytes, keys + key * dim + 4 * quad,
                                 dim - 4 * quad < 4 ? dim - 4 * quad : 4);
            bytes ^= 0x80808080U; // plus 128 each
            __builtin_memcpy(group + (quad * kGroupKeys + key) * 4, &bytes, 4);
        }
}

void packQuery(const std::int8_t* query, std::size_t dim, unsigned char* packed) {
    std::int32_t start = 0;
    for (std::size_t d = 0; d < quads(dim) * 4; ++d) {
        const std::int8_t value = d < dim ? query[d] : std::int8_t{0};
        start -= 128 * value;
        __builtin_memcpy(packed + 4 + d, &value, 1);
    }
    __builtin_memcpy(packed, &start, 4);
}

/// The integer dots of `Rows` queries and one group.
template <std::size_t Rows>
inline __attribute__((always_inline)) void intSums(const unsigned char* group, const unsigned char* queries,
                                                   std::size_t dim, __m512i (&out)[Rows]) {
    const std::size_t bytes = queryBytes(dim);
    const std::size_t steps = quads(dim);
    __m512i sums[Rows];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r) {
        std::int32_t start = 0;
        __builtin_memcpy(&start, queries + r * bytes, 4);
        sums[r] = _mm512_set1_epi32(start);
    }
#pragma GCC unroll 1
    for (std::size_t quad = 0; quad < steps; ++quad) {
        const __m512i k = _mm512_loadu_si512(group + quad * 64);
#pragma GCC unroll 8
        for (std::size_t r = 0; r < Rows; ++r) {
            std::int32_t word = 0;
            __builtin_memcpy(&word, queries + r * bytes + 4 + 4 * quad, 4);
            sums[r] = _mm512_dpbusd_epi32(sums[r], k, _mm512_set1_epi32(word));
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
    for (std::size_t g = 0; g < groups; ++g, group += groupBytes(dim), step += 16, key += 16) {
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
        siftRows<8>(keyGroups, groups, step, queries + r * queryBytes(dim), dim, key, sift + r);
    for (; r < rows; ++r)
        siftRows<1>(keyGroups, groups, step, queries + r * queryBytes(dim), dim, key, sift + r);
}

void intTile(const unsigned char* keyGroups, std::size_t groups, const float* step,
             const unsigned char* queries, std::size_t rows, std::size_t dim, float* out,
             std::size_t outStride) {
    const std::size_t keyBytes = groupBytes(dim);
    const std::size_t bytes = queryBytes(dim);
    for (std::size_t g = 0; g < groups; ++g) {
        const unsigned char* group = keyGroups + g * keyBytes;
        std::size_t r = 0;
        for (; r + 8 <= rows; r += 8)
            intRows<8>(group, step + g * 16, queries + r * bytes, dim, out + r * outStride + g * 16,
                       outStride);
        for (; r < rows; ++r)
            intRows<1>(group, step + g * 16, queries + r * bytes, dim, out + r * outStride + g * 16,
                       outStride);
    }
}

} // namespace

extern const DotKernels kAvx512VnniDots;
const DotKernels kAvx512VnniDots = {
    "avx512vnni", loopRound, groupBytes,   queryBytes,       packKeys,         packQuery,
    intTile,      intSift,   floatTile512, loopExactColumns, loopDraws,        filter512,
    loopGreatest, loopLeast, loopAtLeast,  loopPlaces,       loopExponentials, loopAddExponentials};

} // namespace fovea
