#include "core/route/Signal.h"
#include <cmath>
#include <unordered_map>

// Signals that need no query and no key: where a token stands, what it is, how long its residual is.
namespace fovea::scoring {

/// The earlier the better: beside a window this is `budget` more sinks.
std::vector<float> position(const SignalInput& in) {
    std::vector<float> scores(in.keys);
    for (std::size_t j = 0; j < in.keys; ++j)
        scores[j] = -static_cast<float>(j);
    return scores;
}

/// 1 for the tokenizer's special tokens and for separators, else 0 (Chen et al., SepLLM, 2024, 2412.12094).
std::vector<float> special(const SignalInput& in) {
    const TokenFacts& facts = *in.input.facts;
    std::vector<float> scores(in.keys, 0.0F);
    for (std::size_t j = 0; j < in.keys; ++j)
        if ((!facts.special.empty() && facts.special[j] != 0) ||
            (!facts.punctuation.empty() && facts.punctuation[j] != 0))
            scores[j] = 1;
    return scores;
}

/// Length of the residual stream that enters the layer.
std::vector<float> hiddenNorm(const SignalInput& in) {
    return {in.input.hiddenNorm.begin(), in.input.hiddenNorm.begin() + static_cast<std::ptrdiff_t>(in.keys)};
}

/// -ln(count / N): how rare a token's id is among the tokens up to it, itself included.
std::vector<float> rarity(const SignalInput& in) {
    std::vector<float> scores(in.keys);
    std::unordered_map<std::int32_t, std::size_t> counts;
    for (std::size_t j = 0; j < in.keys; ++j) {
        const std::size_t count = ++counts[in.input.facts->ids[j]];
        scores[j] = static_cast<float>(std::log(static_cast<double>(j + 1) / static_cast<double>(count)));
    }
    return scores;
}

} // namespace fovea::scoring
