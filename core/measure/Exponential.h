#pragma once
#include <bit>
#include <cstdint>

namespace fovea {

/// e^x in single precision, without branches so that loops over it vectorise. Relative error below 2.5e-7 for
/// -87 <= x <= 88; 0 below that range, the value at 88 above it. NaN gives an unspecified finite number.
/// Cody-Waite reduction with the polynomial of the Cephes library (Moshier, 1989).
[[nodiscard]] inline float fastExp(float x) {
    constexpr float kLog2e = 1.44269504088896341F;
    constexpr float kLn2High = 0.693359375F;
    constexpr float kLn2Low = -2.12194440e-4F;
    constexpr float kRound = 12582912.0F; // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
    const float upper = x < 88.0F ? x : 88.0F;
    const float clamped = upper > -87.0F ? upper : -87.0F;
    const float shifted = clamped * kLog2e + kRound;
    const float n = shifted - kRound;
    const float r = (clamped - n * kLn2High) - n * kLn2Low;
    float p = 1.9875691500e-4F;
    p = p * r + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    p = p * r * r + r + 1.0F;
    const std::uint32_t exponent =
        (std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(kRound)) << 23;
    const float value = std::bit_cast<float>(std::bit_cast<std::uint32_t>(p) + exponent);
    return x < -87.0F ? 0.0F : value;
}

} // namespace fovea
