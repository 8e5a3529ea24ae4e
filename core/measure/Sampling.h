#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace fovea {

/// How the next token is drawn from its distribution. By default the most likely token is taken.
struct Sampling {
    double temperature = 0; ///< 0: the most likely token; otherwise logits are divided by it
    std::int64_t topK = 0;  ///< only the k most likely; 0: all
    double topP = 1; ///< only the smallest set of tokens whose probability reaches p (Holtzman et al., 2019,
                     ///< 1904.09751)
    std::uint64_t seed = 1;
    bool operator==(const Sampling&) const = default;
};

/// Draws the token of step `step`. Ties: the lower id. The random number is SplitMix64 of (seed, step), so
/// two arms with the same seed differ only if their distributions do. Order of cuts: temperature, top-k,
/// top-p. Cost V log V unless greedy. Throws std::bad_alloc.
[[nodiscard]] std::int32_t sampleToken(std::span<const float> logits, const Sampling& sampling,
                                       std::uint64_t step);

} // namespace fovea
