#include "core/kernels/FusedTile.h"
#include "core/kernels/Vec16.h"

namespace fovea::kernels {

namespace {

/// Words of two bf16 halves in float registers; one instruction multiplies and adds both.
struct Vec16Bf16 : Vec16 {
    static constexpr int kPair = 2;

    static F dot(F a, F b, F c) { return _mm512_dpbf16_ps(c, halves(a), halves(b)); }
    /// Rounds to nearest by adding half a unit; then one mask, one shift and one selection of bits remain.
    static F pairs(F a, F b) {
        const __m512i half = _mm512_set1_epi32(0x8000);
        const __m512i low = _mm512_srli_epi32(_mm512_add_epi32(_mm512_castps_si512(a), half), 16);
        const __m512i high = _mm512_add_epi32(_mm512_castps_si512(b), half);
        constexpr int kBitsOfFirstElseSecond = 0xCA;
        return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_set1_epi32(static_cast<int>(0xFFFF0000U)),
                                                             high, low, kBitsOfFirstElseSecond));
    }
    static F words(const float* p, float factor) {
        const F f = set1(factor);
        return floats(_mm512_cvtne2ps_pbh(mul(load(p + kLanes), f), mul(load(p), f)));
    }
    static F ones() { return _mm512_castsi512_ps(_mm512_set1_epi32(0x3F803F80)); }
    static F low(F w) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(w), 16)); }
    static F high(F w) {
        return _mm512_castsi512_ps(
            _mm512_and_si512(_mm512_castps_si512(w), _mm512_set1_epi32(static_cast<int>(0xFFFF0000U))));
    }

private:
    static __m512bh halves(F a) {
        __m512bh b;
        __builtin_memcpy(&b, &a, sizeof(b));
        return b;
    }
    static F floats(__m512bh a) {
        F b;
        __builtin_memcpy(&b, &a, sizeof(b));
        return b;
    }
};

} // namespace

const Bf16Table& avx512Bf16() {
    static constexpr Bf16Table kTable{TileLoops<Vec16Bf16>::packKeys, BlockAttention<Vec16Bf16>::attendBlock};
    return kTable;
}

float bf16Dots(std::size_t rounds) {
    __m512 sum[16];
    for (int c = 0; c < 16; ++c)
        sum[c] = _mm512_set1_ps(static_cast<float>(c));
    const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5F), _mm512_set1_ps(0.5F));
    for (std::size_t r = 0; r < rounds; ++r)
        for (int c = 0; c < 16; ++c)
            sum[c] = _mm512_dpbf16_ps(sum[c], a, a);
    for (int c = 1; c < 16; ++c)
        sum[0] = _mm512_add_ps(sum[0], sum[c]);
    return _mm512_cvtss_f32(sum[0]);
}

} // namespace fovea::kernels
