#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace fovea {

/// How the next token is taken from its distribution. The defaults are greedy.
struct Sampling {
    double temperature = 0; ///< 0: the most likely token; else logits are divided by it
    std::int64_t topK = 0;  ///< only the k most likely; 0: all
    double topP = 1; ///< only the fewest whose probability reaches p (Holtzman et al., 2019, 1904.09751)
    std::uint64_t seed = 1;
    bool operator==(const Sampling&) const = default;
};

/// The token of step `step`. Ties: lower id. The draw is SplitMix64 of (seed, step): no state, so two arms
/// with the same seed draw alike and differ only where their distributions do. Order of cuts: temperature,
/// top-k, top-p. Cost V log V unless greedy. Throws std::bad_alloc.
[[nodiscard]] std::int32_t sampleToken(std::span<const float> logits, const Sampling& sampling,
                                       std::uint64_t step);

} // namespace fovea
