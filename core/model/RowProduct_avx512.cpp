#include "core/model/RowProductLoops.h"
#if defined(__x86_64__)
#include <immintrin.h>

// A header of g++ 12 itself reads an undefined vector on purpose (GCC bug 105593).
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace fovea {

namespace {

struct Avx512 {
    using Int = __m512i;
    using Float = __m512;
    static inline Int load(const unsigned char* p) { return _mm512_loadu_si512(p); }
    static inline Float loadFloats(const unsigned char* p) { return _mm512_loadu_ps(p); }
    static inline Float loadHalves(const unsigned char* p) {
        return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    }
    static inline Int mask(Int x, std::uint32_t m) {
        return _mm512_and_si512(x, _mm512_set1_epi32(static_cast<int>(m)));
    }
    static inline Int either(Int x, Int y) { return _mm512_or_si512(x, y); }
    template <int n>
    static inline Int shiftRight(Int x) {
        return _mm512_srli_epi32(x, n);
    }
    static inline Float toFloat(Int x) { return _mm512_cvtepi32_ps(x); }
    static inline Float zero() { return _mm512_setzero_ps(); }
    static inline Float broadcast(float x) { return _mm512_set1_ps(x); }
    static inline Float multiplyAdd(Float x, Float y, Float z) { return _mm512_fmadd_ps(x, y, z); }
    static inline Float multiply(Float x, Float y) { return _mm512_mul_ps(x, y); }
    static inline Float add(Float x, Float y) { return _mm512_add_ps(x, y); }
    static inline Int loadShorts(const unsigned char* p) {
        return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    }
    /// Half of 2^(e - 127) for 16 bytes e.
    static inline Float exponents(const unsigned char* p) {
        const __m512i e = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
        const __m512i usual = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
        const __mmask16 small = _mm512_cmplt_epi32_mask(e, _mm512_set1_epi32(2));
        return _mm512_castsi512_ps(_mm512_mask_sllv_epi32(usual, small, _mm512_set1_epi32(0x00200000), e));
    }
    using Table = __m512;
    static inline Table table(const float* values) { return _mm512_loadu_ps(values); }
    static inline Float lookUp(const Table& t, Int codes) { return _mm512_permutexvar_ps(codes, t); }
    static inline void store(Float x, float* p) { _mm512_storeu_ps(p, x); }
};

} // namespace

void rowProductAvx512(const RowTask& task) {
    RowProductLoops<Avx512>::run(task);
}

} // namespace fovea
#endif
