#include "core/kernels/FusedTile.h"
#include "core/kernels/LogitTile.h"
#include "core/kernels/PeakLoops.h"

namespace fovea::kernels {

namespace {

// The compiler's vector extension, which uses the baseline instructions of the target.
typedef float Float4 __attribute__((vector_size(16)));
typedef std::int32_t Int4 __attribute__((vector_size(16)));

struct Vec4 {
    using F = Float4;
    using M = Int4;
    static constexpr int kPair = 1;
    static constexpr int kLanes = 4;
    static constexpr int kKeys = 4;
    static constexpr int kQueryVectors = 2;
    static constexpr int kQueries = 4;
    static constexpr int kDimVectors = 2;

    static F load(const float* p) {
        F a;
        __builtin_memcpy(&a, p, sizeof(a));
        return a;
    }
    static void store(float* p, F a) { __builtin_memcpy(p, &a, sizeof(a)); }
    static F set1(float a) { return F{a, a, a, a}; }
    static F add(F a, F b) { return a + b; }
    static F sub(F a, F b) { return a - b; }
    static F mul(F a, F b) { return a * b; }
    static F div(F a, F b) { return a / b; }
    static F max(F a, F b) { return select(a > b, a, b); }
    static F fma(F a, F b, F c) { return a * b + c; }
    static F dot(F a, F b, F c) { return fma(a, b, c); }
    static M within(F j, F lo, F hi) { return (j >= lo) & (j < hi); }
    static M lanes(std::uint64_t bits) {
        const Int4 each{1, 2, 4, 8};
        const std::int32_t low = static_cast<std::int32_t>(bits & 0xFU);
        return (Int4{low, low, low, low} & each) == each;
    }
    static F select(M m, F a, F b) { return bits((m & bits(a)) | (~m & bits(b))); }
    static bool anyAbove(F a, F b) {
        const M above = a > b;
        return (above[0] | above[1] | above[2] | above[3]) != 0;
    }
    static float sum(F a) { return (a[0] + a[2]) + (a[1] + a[3]); }
    static F scaleByPower(F p, F t) { return bits(bits(p) + (bits(t) << 23)); }
    /// out[d'][lane] = rows[lane][d+d'] * factor.
    static void transpose(const float* const* rows, int d, float factor, float* out, int pitch) {
        for (int i = 0; i < 4; ++i)
            for (int lane = 0; lane < 4; ++lane)
                out[i * pitch + lane] = rows[lane][d + i] * factor;
    }

protected:
    static Int4 bits(F a) {
        Int4 b;
        __builtin_memcpy(&b, &a, sizeof(b));
        return b;
    }
    static F bits(Int4 a) {
        F b;
        __builtin_memcpy(&b, &a, sizeof(b));
        return b;
    }
};

/// The bf16 words emulated in plain code.
struct Vec4Bf16 : Vec4 {
    static constexpr int kPair = 2;

    static F dot(F a, F b, F c) { return fma(low(a), low(b), fma(high(a), high(b), c)); }
    static F pairs(F a, F b) {
        const Int4 half{0x8000, 0x8000, 0x8000, 0x8000};
        return bits((((bits(a) + half) >> 16) & 0xFFFF) | ((bits(b) + half) & kHigh));
    }
    static F words(const float* p, float factor) {
        return pairs(mul(F{p[0], p[2], p[4], p[6]}, set1(factor)),
                     mul(F{p[1], p[3], p[5], p[7]}, set1(factor)));
    }
    static F ones() { return pairs(set1(1.0F), set1(1.0F)); }
    static F low(F w) { return bits(bits(w) << 16); }
    static F high(F w) { return bits(bits(w) & kHigh); }

private:
    static constexpr std::int32_t kHigh = -0x10000;
};

} // namespace

const Bf16Table& emulatedBf16() {
    static constexpr Bf16Table kTable{TileLoops<Vec4Bf16>::packKeys, BlockAttention<Vec4Bf16>::attendBlock};
    return kTable;
}

const KernelTable& portableKernels() {
    static constexpr KernelTable kTable{BlockAttention<Vec4>::attendBlock, LogitTile<Vec4>::run,
                                        PeakLoops<Vec4>::multiplyAdds, PeakLoops<Vec4>::kFlopsPerRound,
                                        PeakLoops<Vec4>::readAll};
    return kTable;
}

} // namespace fovea::kernels
