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
