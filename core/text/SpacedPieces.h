#pragma once
#include "core/text/Vocabulary.h"
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace fovea {

inline constexpr std::string_view kSpaceMark =
    "\xE2\x96\x81"; ///< U+2581, a space in SentencePiece vocabularies

/// A piece of a text whose spaces are written as U+2581.
struct SpacedPiece {
    struct Character {
        std::uint32_t begin, end; ///< in `text`
        std::size_t source;       ///< byte of the original text
    };
    std::string text;
    std::vector<Character> characters;
    std::size_t end = 0; ///< where the piece ends in the original text
};

/// Cuts a text into pieces that no token crosses: before a space whose neighbour on the left stands before no
/// space inside any token. Merging each piece by itself gives the tokens of the whole text, and much faster.
class SpacedPieces {
public:
    /// `tokens`: the texts that merging can give.
    SpacedPieces(const SpaceRules& rules, std::span<const std::string> tokens);
    /// The piece of `text` (valid UTF-8) that begins at `from`, below text.size(). `first`: `text` begins the
    /// whole text.
    void piece(std::string_view text, std::size_t from, bool first, SpacedPiece& out) const;

private:
    SpaceRules m_rules;
    std::unordered_set<char32_t> m_beforeSpace;
};

} // namespace fovea
