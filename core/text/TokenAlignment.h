#pragma once
#include "core/base/RowRange.h"
#include "core/text/Tokens.h"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// How the tokens of two texts, or of one text under two tokenizers, belong to each other.
enum class AlignedBy : std::uint8_t {
    Tokens, ///< both have the same tokens: number i of one is number i of the other
    Words,  ///< equal words belong to each other; the words between them have no partner
};
[[nodiscard]] std::string_view alignedByName(AlignedBy by); ///< "tokens", "words"

/// Tokens [a.first, a.last) and [b.first, b.last) stand for the same bytes, surrounding spaces aside.
struct AlignedPart {
    RowRange a, b;
    bool operator==(const AlignedPart&) const = default;
};

/// The partners of two token sequences A and B.
struct TokenAlignment {
    AlignedBy by = AlignedBy::Words;
    std::size_t countA = 0, countB = 0; ///< tokens of each
    std::vector<AlignedPart> parts;     ///< not empty, ascending and apart from each other on both sides

    /// The tokens that belong to one of the other side; empty: it has no partner. Cost: log of the parts.
    [[nodiscard]] std::optional<RowRange> toB(std::size_t tokenOfA) const;
    [[nodiscard]] std::optional<RowRange> toA(std::size_t tokenOfB) const;
    [[nodiscard]] std::size_t alignedA() const; ///< tokens of A with a partner
    [[nodiscard]] std::size_t alignedB() const;
    bool operator==(const TokenAlignment&) const = default;
};

/// Aligns two token sequences. `textA` and `textB` are what their spans count in.
///  - The same number of tokens, each of the same bytes: by tokens, one part for each. Ids may differ, as
///    those of two vocabularies do. Added tokens (BOS) equal each other.
///  - One text under two tokenizers: by words that begin and end at the same bytes. Where a token reaches
///    across two words of the other side, both are one part.
///  - Two texts: by equal words (groupTokens), in order: the words that both begin and end with; between them
///    a longest common subsequence where its table has at most 2^20 cells, else the words that occur once on
///    both sides as anchors (patience diff), and the same between these. What is still too large after 16
///    steps has no partner.
/// Deterministic. Cost: linear but for those tables, 2^20 steps for each 1,000 words at most.
[[nodiscard]] TokenAlignment alignTokens(const Tokens& a, std::string_view textA, const Tokens& b,
                                         std::string_view textB);

} // namespace fovea
