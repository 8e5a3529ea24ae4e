#pragma once
#include <cstdint>
#include <immintrin.h>

// A header of g++ 12 itself reads an undefined vector on purpose (GCC bug 105593).
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace fovea::kernels {

/// Sixteen lanes of AVX-512. In an unnamed namespace, so that each file that includes it compiles its own
/// copy.
namespace {

struct Vec16 {
    using F = __m512;
    using M = __mmask16;
    static constexpr int kPair = 1;
    static constexpr int kLanes = 16;
    static constexpr int kKeys = 4;
    static constexpr int kQueryVectors = 4;
    static constexpr int kQueries = 4;
    static constexpr int kDimVectors = 4;

    static F load(const float* p) { return _mm512_loadu_ps(p); }
    static void store(float* p, F a) { _mm512_storeu_ps(p, a); }
    static F set1(float a) { return _mm512_set1_ps(a); }
    static F add(F a, F b) { return _mm512_add_ps(a, b); }
    static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
    static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
    static F div(F a, F b) { return _mm512_div_ps(a, b); }
    static F max(F a, F b) { return _mm512_max_ps(a, b); }
    static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
    static F dot(F a, F b, F c) { return fma(a, b, c); }
    static M within(F j, F lo, F hi) {
        return _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask(j, lo, _CMP_GE_OQ), j, hi, _CMP_LT_OQ);
    }
    static M lanes(std::uint64_t bits) { return static_cast<M>(bits & 0xFFFFU); }
    static F select(M m, F a, F b) { return _mm512_mask_blend_ps(m, b, a); }
    static bool anyAbove(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ) != 0; }
    static float sum(F a) { return _mm512_reduce_add_ps(a); }
    static F scaleByPower(F p, F t) {
        return _mm512_castsi512_ps(
            _mm512_add_epi32(_mm512_castps_si512(p), _mm512_slli_epi32(_mm512_castps_si512(t), 23)));
    }
    /// out[d'][lane] = rows[lane][d+d'] * factor.
    static void transpose(const float* const* rows, int d, float factor, float* out, int pitch) {
        F a[16];
        F b[16];
        for (int i = 0; i < 16; ++i)
            a[i] = _mm512_mul_ps(_mm512_loadu_ps(rows[i] + d), _mm512_set1_ps(factor));
        for (int i = 0; i < 8; ++i) {
            b[2 * i] = _mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]);
            b[2 * i + 1] = _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]);
        }
        for (int i = 0; i < 4; ++i) {
            a[4 * i] = _mm512_shuffle_ps(b[4 * i], b[4 * i + 2], 0x44);
            a[4 * i + 1] = _mm512_shuffle_ps(b[4 * i], b[4 * i + 2], 0xEE);
            a[4 * i + 2] = _mm512_shuffle_ps(b[4 * i + 1], b[4 * i + 3], 0x44);
            a[4 * i + 3] = _mm512_shuffle_ps(b[4 * i + 1], b[4 * i + 3], 0xEE);
        }
        for (int i = 0; i < 4; ++i) {
            b[i] = _mm512_shuffle_f32x4(a[i], a[4 + i], 0x88);
            b[4 + i] = _mm512_shuffle_f32x4(a[i], a[4 + i], 0xDD);
            b[8 + i] = _mm512_shuffle_f32x4(a[8 + i], a[12 + i], 0x88);
            b[12 + i] = _mm512_shuffle_f32x4(a[8 + i], a[12 + i], 0xDD);
        }
        for (int i = 0; i < 4; ++i) {
            _mm512_storeu_ps(out + i * pitch, _mm512_shuffle_f32x4(b[i], b[8 + i], 0x88));
            _mm512_storeu_ps(out + (4 + i) * pitch, _mm512_shuffle_f32x4(b[4 + i], b[12 + i], 0x88));
            _mm512_storeu_ps(out + (8 + i) * pitch, _mm512_shuffle_f32x4(b[i], b[8 + i], 0xDD));
            _mm512_storeu_ps(out + (12 + i) * pitch, _mm512_shuffle_f32x4(b[4 + i], b[12 + i], 0xDD));
        }
    }
};

} // namespace

} // namespace fovea::kernels
