#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fovea {

/// What is known about a text without running attention. Shared by all layers. Arrays have size T.
struct TokenFacts {
    std::size_t tokens = 0;
    std::vector<std::uint8_t> special;
    std::vector<std::uint8_t> punctuation;
    std::vector<float> surprisal;  ///< -ln P(token | before) of the full run, nats; empty: not run yet
    std::vector<std::int32_t> ids; ///< vocabulary ids; empty where no signal asks for them
    /// P, the length of the prompt when text is generated. 0: the last quarter of the text plays the part of
    /// generated text, so P is T - T/4.
    std::size_t prompt = 0;
    /// [L*H] retrieval scores of the model, used by mix.full_heads (RetrievalHeads.h). Empty: not measured.
    std::vector<float> retrieval;
    [[nodiscard]] std::size_t border() const { return prompt > 0 ? prompt : tokens - tokens / 4; }
};

} // namespace fovea
