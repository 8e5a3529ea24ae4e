#include "core/kernels/FusedTile.h"
#include "core/kernels/LogitTile.h"
#include "core/kernels/PeakLoops.h"
#include <immintrin.h>

namespace fovea::kernels {

namespace {

struct Vec8 {
    using F = __m256;
    using M = __m256;
    static constexpr int kPair = 1;
    static constexpr int kLanes = 8;
    static constexpr int kKeys = 6;
    static constexpr int kQueryVectors = 2;
    static constexpr int kQueries = 4;
    static constexpr int kDimVectors = 3;

    static F load(const float* p) { return _mm256_loadu_ps(p); }
    static void store(float* p, F a) { _mm256_storeu_ps(p, a); }
    static F set1(float a) { return _mm256_set1_ps(a); }
    static F add(F a, F b) { return _mm256_add_ps(a, b); }
    static F sub(F a, F b) { return _mm256_sub_ps(a, b); }
    static F mul(F a, F b) { return _mm256_mul_ps(a, b); }
    static F div(F a, F b) { return _mm256_div_ps(a, b); }
    static F max(F a, F b) { return _mm256_max_ps(a, b); }
    static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
    static F dot(F a, F b, F c) { return fma(a, b, c); }
    static M within(F j, F lo, F hi) {
        return _mm256_and_ps(_mm256_cmp_ps(j, lo, _CMP_GE_OQ), _mm256_cmp_ps(j, hi, _CMP_LT_OQ));
    }
    static M lanes(std::uint64_t bits) {
        const __m256i each = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
        const __m256i all = _mm256_set1_epi32(static_cast<int>(bits & 0xFFU));
        return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(all, each), each));
    }
    static F select(M m, F a, F b) { return _mm256_blendv_ps(b, a, m); }
    static bool anyAbove(F a, F b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ)) != 0; }
    static float sum(F a) {
        __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
        s = _mm_add_ps(s, _mm_movehl_ps(s, s));
        return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
    }
    static F scaleByPower(F p, F t) {
        return _mm256_castsi256_ps(
            _mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(_mm256_castps_si256(t), 23)));
    }
    /// out[d'][lane] = rows[lane][d+d'] * factor.
    static void transpose(const float* const* rows, int d, float factor, float* out, int pitch) {
        F a[8];
        F b[8];
        for (int i = 0; i < 8; ++i)
            a[i] = _mm256_mul_ps(_mm256_loadu_ps(rows[i] + d), _mm256_set1_ps(factor));
        for (int i = 0; i < 4; ++i) {
            b[2 * i] = _mm256_unpacklo_ps(a[2 * i], a[2 * i + 1]);
            b[2 * i + 1] = _mm256_unpackhi_ps(a[2 * i], a[2 * i + 1]);
        }
        for (int i = 0; i < 2; ++i) {
            a[4 * i] = _mm256_shuffle_ps(b[4 * i], b[4 * i + 2], 0x44);
            a[4 * i + 1] = _mm256_shuffle_ps(b[4 * i], b[4 * i + 2], 0xEE);
            a[4 * i + 2] = _mm256_shuffle_ps(b[4 * i + 1], b[4 * i + 3], 0x44);
            a[4 * i + 3] = _mm256_shuffle_ps(b[4 * i + 1], b[4 * i + 3], 0xEE);
        }
        for (int i = 0; i < 4; ++i) {
            _mm256_storeu_ps(out + i * pitch, _mm256_permute2f128_ps(a[i], a[4 + i], 0x20));
            _mm256_storeu_ps(out + (4 + i) * pitch, _mm256_permute2f128_ps(a[i], a[4 + i], 0x31));
        }
    }
};

} // namespace

const KernelTable& avx2Kernels() {
    static constexpr KernelTable kTable{BlockAttention<Vec8>::attendBlock, LogitTile<Vec8>::run,
                                        PeakLoops<Vec8>::multiplyAdds, PeakLoops<Vec8>::kFlopsPerRound,
                                        PeakLoops<Vec8>::readAll};
    return kTable;
}

} // namespace fovea::kernels
