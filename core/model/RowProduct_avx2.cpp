#include "core/model/RowProductLoops.h"
#if defined(__x86_64__)
#include <immintrin.h>

namespace fovea {

namespace {

struct Avx2 {
    struct Int {
        __m256i a, b;
    };
    struct Float {
        __m256 a, b;
    };
    static inline Int load(const unsigned char* p) {
        return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
                _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
    }
    static inline Float loadFloats(const unsigned char* p) {
        const auto* f = reinterpret_cast<const float*>(p);
        return {_mm256_loadu_ps(f), _mm256_loadu_ps(f + 8)};
    }
    static inline Float loadHalves(const unsigned char* p) {
        return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
                _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16)))};
    }
    static inline Int mask(Int x, std::uint32_t m) {
        const __m256i all = _mm256_set1_epi32(static_cast<int>(m));
        return {_mm256_and_si256(x.a, all), _mm256_and_si256(x.b, all)};
    }
    static inline Int either(Int x, Int y) { return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)}; }
    template <int n>
    static inline Int shiftRight(Int x) {
        return {_mm256_srli_epi32(x.a, n), _mm256_srli_epi32(x.b, n)};
    }
    static inline Float toFloat(Int x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
    static inline Float zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
    static inline Float broadcast(float x) {
        const __m256 all = _mm256_set1_ps(x);
        return {all, all};
    }
    static inline Float multiplyAdd(Float x, Float y, Float z) {
        return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
    }
    static inline Float multiply(Float x, Float y) {
        return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
    }
    static inline Float add(Float x, Float y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
    static inline Int loadShorts(const unsigned char* p) {
        return {_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
                _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16)))};
    }
    static inline __m256 exponentsOf(__m256i e) {
        const __m256i usual = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
        const __m256i tiny = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
        const __m256i small = _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e);
        return _mm256_castsi256_ps(_mm256_blendv_epi8(usual, tiny, small));
    }
    /// Half of 2^(e - 127) for 16 bytes e.
    static inline Float exponents(const unsigned char* p) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
        return {exponentsOf(_mm256_cvtepu8_epi32(bytes)),
                exponentsOf(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)))};
    }
    struct Table {
        __m256 low, high;
    };
    static inline Table table(const float* values) {
        return {_mm256_loadu_ps(values), _mm256_loadu_ps(values + 8)};
    }
    static inline __m256 lookUpEight(const Table& t, __m256i codes) {
        // The permutation reads three bits; the fourth, moved to the sign, chooses the half.
        return _mm256_blendv_ps(_mm256_permutevar8x32_ps(t.low, codes),
                                _mm256_permutevar8x32_ps(t.high, codes),
                                _mm256_castsi256_ps(_mm256_slli_epi32(codes, 28)));
    }
    static inline Float lookUp(const Table& t, Int codes) {
        return {lookUpEight(t, codes.a), lookUpEight(t, codes.b)};
    }
    static inline void store(Float x, float* p) {
        _mm256_storeu_ps(p, x.a);
        _mm256_storeu_ps(p + 8, x.b);
    }
};

} // namespace

void rowProductAvx2(const RowTask& task) {
    RowProductLoops<Avx2>::run(task);
}

} // namespace fovea
#endif
