#pragma once
#include "core/route/Dots.h"
#include <cmath>
#include <limits>

// Plain loops that are compiled for every instruction set, with internal linkage so that each set keeps its
// own machine code.
namespace fovea {
namespace {

/// exp(x) for x <= 0, relative error below 2e-7; 0 below -87. Cody and Waite's reduction with the minimax
/// polynomial of Cephes' expf, written without branches so that it vectorises.
inline float expNegative(float x) {
    const float clamped = x > -87.0F ? x : -87.0F; // a NaN becomes -87 too
    const float n = (clamped * 1.44269504F + 12582912.0F) - 12582912.0F;
    const float r = (clamped - n * 0.693359375F) + n * 2.12194440e-4F;
    float p = 1.9875691500e-4F;
    p = p * r + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    p = p * r * r + r + 1.0F;
    const std::int32_t exponent = (static_cast<std::int32_t>(n) + 127) << 23;
    float power = 0;
    __builtin_memcpy(&power, &exponent, sizeof power);
    return x > -87.0F ? p * power : 0.0F;
}

inline float loopRound(const float* x, std::size_t count, int bits, std::int8_t* rounded) {
    float peaks[16] = {};
    float bads[16] = {}; // stay 0 while everything is finite
    std::size_t done = 0;
    for (; done + 16 <= count; done += 16)
        for (std::size_t l = 0; l < 16; ++l) {
            const float a = std::fabs(x[done + l]);
            peaks[l] = a > peaks[l] ? a : peaks[l];
            bads[l] += x[done + l] * 0.0F;
        }
    float peak = 0;
    float bad = 0;
    for (std::size_t l = 0; l < 16; ++l) {
        peak = peaks[l] > peak ? peaks[l] : peak;
        bad += bads[l];
    }
    for (; done < count; ++done) {
        const float a = std::fabs(x[done]);
        peak = a > peak ? a : peak;
        bad += x[done] * 0.0F;
    }
    if (!(bad == 0.0F) || !(peak <= std::numeric_limits<float>::max())) {
        for (std::size_t d = 0; d < count; ++d)
            rounded[d] = 0;
        return std::numeric_limits<float>::quiet_NaN();
    }
    if (bits == 1) {
        float total = 0;
        for (std::size_t d = 0; d < count; ++d) {
            total += std::fabs(x[d]);
            rounded[d] = x[d] < 0 ? std::int8_t{-1} : std::int8_t{1};
        }
        return total / static_cast<float>(count);
    }
    const float step = peak / static_cast<float>((1 << (bits - 1)) - 1);
    if (!(step > 0)) { // zero, or too small to divide by
        for (std::size_t d = 0; d < count; ++d)
            rounded[d] = 0;
        return 0;
    }
    for (std::size_t d = 0; d < count; ++d) {
        const float nearest = (x[d] / step + 12582912.0F) - 12582912.0F;
        rounded[d] = static_cast<std::int8_t>(static_cast<std::int32_t>(nearest));
    }
    return step;
}

inline float loopGreatest(const float* x, std::size_t count) {
    float lanes[16];
    for (float& lane : lanes)
        lane = -std::numeric_limits<float>::infinity();
    std::size_t j = 0;
    for (; j + 16 <= count; j += 16)
        for (std::size_t l = 0; l < 16; ++l)
            lanes[l] = x[j + l] > lanes[l] ? x[j + l] : lanes[l];
    for (; j < count; ++j)
        lanes[0] = x[j] > lanes[0] ? x[j] : lanes[0];
    for (const float lane : lanes)
        lanes[0] = lane > lanes[0] ? lane : lanes[0];
    return lanes[0];
}

inline float loopLeast(const float* x, std::size_t count) {
    float lanes[16];
    for (float& lane : lanes)
        lane = std::numeric_limits<float>::infinity();
    std::size_t j = 0;
    for (; j + 16 <= count; j += 16)
        for (std::size_t l = 0; l < 16; ++l)
            lanes[l] = x[j + l] < lanes[l] ? x[j + l] : lanes[l];
    for (; j < count; ++j)
        lanes[0] = x[j] < lanes[0] ? x[j] : lanes[0];
    for (const float lane : lanes)
        lanes[0] = lane < lanes[0] ? lane : lanes[0];
    return lanes[0];
}

inline std::size_t loopAtLeast(const float* x, std::size_t count, float bar) {
    std::uint32_t found = 0;
    for (std::size_t j = 0; j < count; ++j)
        found += x[j] >= bar ? 1U : 0U;
    return found;
}

// A vector type, because compilers would spill a plain array of lanes to memory here.
using Floats8 = float __attribute__((vector_size(32)));
using Ints8 = std::int32_t __attribute__((vector_size(32)));

inline void loopPlaces(const float* x, std::size_t count, std::uint32_t* places) {
    for (std::size_t begin = 0; begin < count; begin += 8) {
        const std::size_t lanes = count - begin < 8 ? count - begin : 8;
        Floats8 mine = {};
        __builtin_memcpy(&mine, x + begin, lanes * sizeof(float));
        Ints8 before = {};
        for (std::size_t j = 0; j < begin; ++j)
            before -= x[j] > mine;
        for (std::size_t j = begin + lanes; j < count; ++j)
            before -= x[j] >= mine;
        __builtin_memcpy(places + begin, &before, sizeof before);
        for (std::size_t j = begin; j < begin + lanes; ++j)
            for (std::size_t l = begin; l < begin + lanes; ++l)
                places[l] += (l < j ? x[j] >= x[l] : x[j] > x[l]) ? 1U : 0U;
    }
}

inline double loopExponentials(float* x, std::size_t count, float factor, float shift) {
    double total = 0;
    for (std::size_t begin = 0; begin < count; begin += 256) {
        const std::size_t end = begin + 256 < count ? begin + 256 : count;
        float lanes[16] = {};
        std::size_t j = begin;
        for (; j + 16 <= end; j += 16)
            for (std::size_t l = 0; l < 16; ++l) {
                x[j + l] = expNegative(factor * x[j + l] - shift);
                lanes[l] += x[j + l];
            }
        for (; j < end; ++j) {
            x[j] = expNegative(factor * x[j] - shift);
            lanes[0] += x[j];
        }
        for (const float lane : lanes)
            total += static_cast<double>(lane);
    }
    return total;
}

inline void loopAddExponentials(const float* x, std::size_t count, float factor, float shift, float* sum) {
    for (std::size_t j = 0; j < count; ++j)
        sum[j] += expNegative(factor * x[j] - shift);
}

#if defined(__AVX__)
using Columns = Floats8;
#else
using Columns = float __attribute__((vector_size(16)));
#endif
/// The product, rounded: a compiler must not fuse it with the addition that follows.
inline Columns roundedProduct(Columns a, float b) {
    Columns product = a * b;
#if defined(__x86_64__)
    __asm__("" : "+x"(product));
#elif defined(__aarch64__)
    __asm__("" : "+w"(product));
#endif
    return product;
}

inline void loopExactColumns(const float* columnGroups, std::size_t groups, const float* x, std::size_t dim,
                             float* out) {
    constexpr std::size_t kLanes = sizeof(Columns) / sizeof(float);
    const auto at = [](const float* from) {
        Columns columns;
        __builtin_memcpy(&columns, from, sizeof columns);
        return columns;
    };
    const std::size_t whole = dim / 4 * 4;
    constexpr std::size_t kParts = 16 / kLanes > 2 ? 2 : 16 / kLanes; // vectors that share each x[d]
    for (std::size_t g = 0; g < groups; ++g)
        for (std::size_t j = 0; j < kGroupKeys; j += kParts * kLanes) {
            const float* column = columnGroups + g * dim * kGroupKeys + j;
            Columns sums[kParts][4] = {};
            for (std::size_t d = 0; d < whole; d += 4)
#pragma GCC unroll 4
                for (std::size_t part = 0; part < 4; ++part)
#pragma GCC unroll 2
                    for (std::size_t n = 0; n < kParts; ++n)
                        sums[n][part] +=
                            roundedProduct(at(column + (d + part) * kGroupKeys + n * kLanes), x[d + part]);
#pragma GCC unroll 2
            for (std::size_t n = 0; n < kParts; ++n) {
                Columns sum = (sums[n][0] + sums[n][2]) + (sums[n][1] + sums[n][3]);
                for (std::size_t d = whole; d < dim; ++d)
                    sum += roundedProduct(at(column + d * kGroupKeys + n * kLanes), x[d]);
                __builtin_memcpy(out + g * kGroupKeys + j + n * kLanes, &sum, sizeof sum);
            }
        }
}

/// A copy of SplitMix64.h, because an inline function compiled for one instruction set could be linked for
/// all.
inline void loopDraws(std::uint64_t state, std::uint64_t first, std::size_t count, float* out) {
    for (std::size_t j = 0; j < count; ++j) {
        std::uint64_t x = (state ^ (first + j)) + 0x9E3779B97F4A7C15ULL;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
        x ^= x >> 31;
        out[j] = static_cast<float>(static_cast<std::int32_t>(x >> 40)) * 0x1p-24F;
    }
}

/// Bit j: key + j is a candidate of the row. `key` is a multiple of kGroupKeys.
inline std::uint32_t openKeys(const SiftRow& row, std::uint32_t key) {
    if (key >= row.end)
        return 0;
    const std::uint32_t left = row.end - key;
    const auto open = ~static_cast<std::uint32_t>(row.blocked[key / 64] >> (key % 64)) & 0xFFFFU;
    return left >= kGroupKeys ? open : open & ((1U << left) - 1U);
}

/// Writes a group's scores whose bit is set in `kept`.
inline void keepScores(SiftRow& row, std::uint32_t kept, const float* scores, std::uint32_t key) {
    for (; kept != 0; kept &= kept - 1) {
        const auto lane = static_cast<std::uint32_t>(__builtin_ctz(kept));
        row.values[row.found] = scores[lane];
        row.keys[row.found] = key + lane;
        ++row.found;
    }
}

// Keys as pairs of 16-bit numbers, [dim/2][16][2]: what a multiply-add of pairs wants. Exact: 2 * 127 * 127
// fits easily.
inline std::size_t pairGroupBytes(std::size_t dim) {
    return (dim + 1) / 2 * kGroupKeys * 4;
}
inline std::size_t pairQueryBytes(std::size_t dim) {
    return (dim + 1) / 2 * 4;
}

inline void packPairs(const std::int8_t* keys, std::size_t count, std::size_t dim, unsigned char* group) {
    for (std::size_t key = 0; key < kGroupKeys; ++key)
        for (std::size_t pair = 0; pair < (dim + 1) / 2; ++pair) {
            std::int16_t values[2] = {};
            if (key < count) {
                values[0] = keys[key * dim + 2 * pair];
                if (2 * pair + 1 < dim)
                    values[1] = keys[key * dim + 2 * pair + 1];
            }
            __builtin_memcpy(group + (pair * kGroupKeys + key) * 4, values, 4);
        }
}

inline void packPairQuery(const std::int8_t* query, std::size_t dim, unsigned char* packed) {
    for (std::size_t d = 0; d < (dim + 1) / 2 * 2; ++d) {
        const std::int16_t value = d < dim ? query[d] : std::int16_t{0};
        __builtin_memcpy(packed + 2 * d, &value, 2);
    }
}

} // namespace
} // namespace fovea
