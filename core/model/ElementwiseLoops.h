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

inline float layerNorm(const float* x, const float* w, const float* b, std::size_t n, float eps, float* out) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::size_t i = 0; i < n; ++i)
        sum += x[i];
    const float mean = sum / static_cast<float>(n);
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (std::size_t i = 0; i < n; ++i)
        squares += (x[i] - mean) * (x[i] - mean);
    const float variance = squares / static_cast<float>(n);
    const float scale = 1.0F / __builtin_sqrtf(variance + eps);
#pragma omp simd
    for (std::size_t i = 0; i < n; ++i)
        out[i] = (x[i] - mean) * scale * w[i] + b[i];
    return variance;
}

struct Silu {
    static float of(float x) { return x / (1.0F + exponential(-x)); }
};
struct GeluTanh {
    // (1 + tanh(u)) / 2 = 1 / (1 + e^-2u), and 2 sqrt(2/pi) = 1.595769...
    static float of(float x) {
        return x / (1.0F + exponential(-1.5957691216F * (x + 0.044715F * x * x * x)));
    }
};
struct GeluErf {
    static float of(float x) { return 0.5F * x * (1.0F + __builtin_erff(x * 0.70710678F)); }
};

template <class F, class Kind>
void activate(const float* g, const float* up, std::size_t n, typename Kind::Out* out) {
    if (up == nullptr) {
#pragma omp simd
        for (std::size_t i = 0; i < n; ++i)
            out[i] = Kind::store(F::of(g[i]));
        return;
    }
#pragma omp simd
    for (std::size_t i = 0; i < n; ++i)
        out[i] = Kind::store(F::of(g[i]) * up[i]);
}

/// c tanh(x / c) = c (1 - 2 / (1 + e^(2x/c))).
inline void softCap(float* x, std::size_t n, float c) {
    const float twice = 2.0F / c;
#pragma omp simd
    for (std::size_t i = 0; i < n; ++i)
        x[i] = c - 2.0F * c / (1.0F + exponential(x[i] * twice));
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

constexpr ElementwiseSet kSet{norm<Float>,
                              norm<Bf16>,
                              layerNorm,
                              {activate<Silu, Float>, activate<GeluTanh, Float>, activate<GeluErf, Float>},
                              {activate<Silu, Bf16>, activate<GeluTanh, Bf16>, activate<GeluErf, Bf16>},
                              softCap,
                              rotate,
                              toBf16,
                              allFinite};

} // namespace fovea::FOVEA_LOOPS
