#include "core/route/DotTiles_avx512.h"

namespace fovea {

namespace {

template <std::size_t Rows>
void intRows(const unsigned char* group, const float* step, const unsigned char* queries, std::size_t dim,
             float* out, std::size_t outStride) {
    const std::size_t queryBytes = pairQueryBytes(dim);
    __m512i sums[Rows];
    for (std::size_t r = 0; r < Rows; ++r)
        sums[r] = _mm512_setzero_si512();
    for (std::size_t pair = 0; pair < (dim + 1) / 2; ++pair) {
        const __m512i k = _mm512_loadu_si512(group + pair * 64);
        for (std::size_t r = 0; r < Rows; ++r) {
            std::int32_t word = 0;
            __builtin_memcpy(&word, queries + r * queryBytes + 4 * pair, 4);
            sums[r] = _mm512_add_epi32(sums[r], _mm512_madd_epi16(k, _mm512_set1_epi32(word)));
        }
    }
    const __m512 steps = _mm512_loadu_ps(step);
    for (std::size_t r = 0; r < Rows; ++r)
        _mm512_storeu_ps(out + r * outStride,
                         _mm512_mul_ps(_mm512_maskz_cvtepi32_ps(0xFFFF, sums[r]), steps));
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
    "avx512",      loopRound, pairGroupBytes, pairQueryBytes,   packPairs,
    packPairQuery, intTile,   floatTile512,   loopDraws,        filter512,
    loopGreatest,  loopLeast, loopAtLeast,    loopExponentials, loopAddExponentials};

} // namespace fovea
