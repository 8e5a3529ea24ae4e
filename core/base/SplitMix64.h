#pragma once
#include <cstdint>

namespace fovea {

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014) used as a
/// stateless hash. Equal inputs give equal numbers, so cached decoding draws the same numbers as a run over
/// the whole text.
[[nodiscard]] constexpr std::uint64_t splitMix64(std::uint64_t x) {
    x += 0x9E3779B97F4A7C15ULL;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
}

/// Combines several numbers into one draw. The order matters.
template <class... Rest>
[[nodiscard]] constexpr std::uint64_t splitMix64(std::uint64_t first, Rest... rest) {
    std::uint64_t state = splitMix64(first);
    ((state = splitMix64(state ^ static_cast<std::uint64_t>(rest))), ...);
    return state;
}

/// Maps a draw to [0, 1) with 24 bits, which float represents exactly.
[[nodiscard]] constexpr float unitFloat(std::uint64_t draw) {
    return static_cast<float>(draw >> 40) * 0x1p-24F;
}

} // namespace fovea
