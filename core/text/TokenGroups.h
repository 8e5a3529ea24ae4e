#pragma once
#include "core/text/Tokens.h"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace fovea {

/// What one cell of a map stands for along an axis.
enum class TextUnit : std::uint8_t { Token, Word, Sentence };
[[nodiscard]] std::string_view textUnitName(TextUnit unit); ///< "token", "word", "sentence"

/// Tokens in groups that follow each other without gap: group g holds the tokens [starts[g], starts[g+1]).
struct TokenGroups {
    std::vector<std::uint32_t> starts{0}; ///< [G+1] ascending; the last is T

    [[nodiscard]] std::size_t size() const { return starts.size() - 1; }
    [[nodiscard]] std::size_t first(std::size_t group) const { return starts[group]; }
    [[nodiscard]] std::size_t last(std::size_t group) const { return starts[group + 1]; } ///< one past
    [[nodiscard]] std::size_t of(std::size_t token) const; ///< the group of a token below T. Cost: log G
    bool operator==(const TokenGroups&) const = default;
};

/// Groups the tokens of a text. A word is a run of letters, digits and marks with the spaces before it;
/// punctuation marks and other signs that follow each other form a word of their own; a line break begins
/// one. A sentence ends with the marks . ! ? or their East Asian forms where a space or line break follows,
/// and at a line break. A token that holds parts of two words belongs to the first. Added tokens (BOS) stand
/// alone. Cost: linear.
[[nodiscard]] TokenGroups groupTokens(const Tokens& tokens, TextUnit unit);

/// One entry for each group, as if the groups were tokens: joined pieces and spans; the ids are those of the
/// first token. For labels. Cost: linear.
[[nodiscard]] Tokens mergedTokens(const Tokens& tokens, const TokenGroups& groups);

} // namespace fovea
