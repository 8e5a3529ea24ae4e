#pragma once
#include "app/RunText.h"
#include <optional>
#include <string>

namespace fovea::app {

/// What `attention` is asked for instead of a row: the facts behind a tip, the inspector or the lanes of the
/// window.
struct FactsOptions {
    std::string pair;     ///< "I,J"
    std::string block;    ///< "A:B,C:D"
    std::string quantity; ///< of the block
    std::string token;    ///< "I"
    bool lanes = false;
    [[nodiscard]] bool any() const { return !pair.empty() || !block.empty() || !token.empty() || lanes; }
};
void addFactsOptions(CLI::App& app, FactsOptions& options);

/// Refuses what needs no model to be refused: two of them at once, an unknown quantity. `against`: --against
/// is given; without it a quantity of that arm is refused.
[[nodiscard]] Outcome<> checkFacts(const FactsOptions& options, bool against);

/// The answer in both forms. `run` has its snapshot, with `layer` and `head` visible; `query` is what the
/// lanes are asked for, empty: sampled queries. Bad usage: a token beyond the text, a range that is none.
struct FactsAnswer {
    std::string json, text;
};
[[nodiscard]] Outcome<FactsAnswer> factsAnswer(const TextRun& run, int layer, int head,
                                               std::optional<std::size_t> query, const FactsOptions& options);

} // namespace fovea::app
