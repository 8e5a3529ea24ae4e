#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fovea {

/// What is known of a text without running attention. Shared by all layers. Sizes T.
struct TokenFacts {
    std::size_t tokens = 0;
    std::vector<std::uint8_t> special;
    std::vector<std::uint8_t> punctuation;
    std::vector<float> surprisal;  ///< -ln P(token | before) of the full run, nats; empty: not run yet
    std::vector<std::int32_t> ids; ///< vocabulary ids; empty where no signal asks for them
    /// P, the length of the prompt when generating; 0: the last quarter of the text stands in for what is
    /// generated, so P is T - T/4.
    std::size_t prompt = 0;
    /// [L*H] the model's retrieval scores, which mix.full_heads ranks (RetrievalHeads.h); empty: not
    /// measured.
    std::vector<float> retrieval;
    [[nodiscard]] std::size_t border() const { return prompt > 0 ? prompt : tokens - tokens / 4; }
};

} // namespace fovea
