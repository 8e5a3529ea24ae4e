// The loops of Elementwise.h. One file per instruction set includes this header and compiles its own copy in
// its own namespace FOVEA_LOOPS. No standard containers here: the linker keeps only one copy of an inline
// function of theirs, and that copy could use instructions that the CPU lacks.
#include <cstddef>
#include <cstdint>

// Builds with sanitizers do not vectorise, and clang would warn about every loop.
#ifdef __clang__
#pragma clang diagnostic ignored "-Wpass-failed"
#endif

namespace fovea::FOVEA_LOOPS {

struct Float {
    using Out = float;
    static float store(float x) { return x; }
};

struct Bf16 {
    using Out = std::uint16_t;
    static std::uint16_t store(float x) {
        const auto bits = __builtin_bit_cast(std::uint32_t, x);
        const std::uint32_t rounded = (bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16;
        // Rounding would turn a NaN with a full payload into infinity or zero.
        return static_cast<std::uint16_t>((bits & 0x7FFFFFFFU) > 0x7F800000U ? 0x7FC0U : rounded);
    }
};

/// e^x for any x, relative error 2e-7: x = n ln 2 + r (Cody and Waite), e^r by a polynomial of degree 6
/// (Cephes expf).
inline float exponential(float x) {
    const float clamped = x < -87.0F ? -87.0F : (x > 88.0F ? 88.0F : x);
    // Adding 1.5 * 2^23 rounds to a whole number and leaves it in the lowest bits. They are read as bits,
    // because a NaN must not be converted to an integer; it comes out as NaN through p.
    const float shifted = clamped * 1.44269504F + 12582912.0F;
    const float n = shifted - 12582912.0F;
    const float r = (clamped - n * 0.693359375F) + n * 2.12194440e-4F;
    float p = 1.9875691500e-4F;
    p = p * r + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    p = p * (r * r) + r + 1.0F;
    const std::uint32_t power = (__builtin_bit_cast(std::uint32_t, shifted) + 127U) << 23;
    return p * __builtin_bit_cast(float, power);
}

template <class Kind>
float norm(const float* x, const float* w, std::size_t n, float eps, typename Kind::Out* out) {
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (std::size_t i = 0; i < n; ++i)
        squares += x[i] * x[i];
    const float mean = squares / static_cast<float>(n);
    const float scale = 1.0F / __builtin_sqrtf(mean + eps);
#pragma omp simd
    for (std::size_t i = 0; i < n; ++i)
        out[i] = Kind::store(x[i] * scale * w[i]);
    return mean;
}

template <class Kind>
void gate(const float* g, const float* up, std::size_t n, typename Kind::Out* out) {
#pragma omp simd
    for (std::size_t i = 0; i < n; ++i)
        out[i] = Kind::store(g[i] / (1.0F + exponential(-g[i])) * up[i]);
}

inline void rotate(const float* x, const float* cosines, const float* sines, std::size_t half, float* out) {
#pragma omp simd
    for (std::size_t m = 0; m < half; ++m) {
        const float a = x[m];
        const float b = x[m + half];
        out[m] = a * cosines[m] - b * sines[m];
        out[m + half] = a * sines[m] + b * cosines[m];
    }
}

inline void toBf16(const float* x, std::size_t n, std::uint16_t* out) {
#pragma omp simd
    for (std::size_t i = 0; i < n; ++i)
        out[i] = Bf16::store(x[i]);
}

inline bool allFinite(const float* x, std::size_t n) {
    std::uint32_t worst = 0;
#pragma omp simd reduction(max : worst)
    for (std::size_t i = 0; i < n; ++i) {
        const std::uint32_t magnitude = __builtin_bit_cast(std::uint32_t, x[i]) & 0x7FFFFFFFU;
        worst = magnitude > worst ? magnitude : worst;
    }
    return worst < 0x7F800000U;
}

} // namespace fovea::FOVEA_LOOPS
