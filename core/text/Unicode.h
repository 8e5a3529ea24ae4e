#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// Facts about characters, from the Unicode Character Database 14.0 (tests/golden/make_unicode.py). Cost: a
/// binary search each.
[[nodiscard]] bool isNonspacingMark(char32_t c); ///< category Mn
[[nodiscard]] bool isPunctuation(char32_t c);    ///< categories P*
[[nodiscard]] bool isOther(char32_t c);          ///< categories Cc, Cf, Co
[[nodiscard]] bool isWhiteSpace(char32_t c);     ///< property White_Space
[[nodiscard]] char32_t lowerCase(char32_t c);    ///< one character to one
/// Appends the canonical decomposition of `c`, not reordered; a character without one is appended as it is.
void appendDecomposition(char32_t c, std::u32string& out);

/// A character of a rewritten text and the byte of the original text that it comes from.
struct PlacedCharacter {
    char32_t value = 0;
    std::size_t begin = 0;
};
/// Canonical ordering (Unicode Standard, 3.11): sorts each run of combining marks by class, stable. Canonical
/// order needs no sorting when `text` has no marks: linear then.
void orderMarks(std::vector<PlacedCharacter>& text);

/// A text in normalization form C (Unicode Standard Annex 15) with a map back to the original offsets.
class ComposedText {
public:
    /// `text` must be valid UTF-8 and outlive this object. Cost: linear.
    explicit ComposedText(std::string_view text);

    [[nodiscard]] std::string_view text() const { return m_changed ? m_composed : m_original; }
    /// The offset in the original of byte `offset` of text(). Inside a rewritten sequence: its beginning.
    [[nodiscard]] std::size_t original(std::size_t offset) const;

private:
    struct Rewritten {
        std::size_t begin, end;                 ///< in text()
        std::size_t originalBegin, originalEnd; ///< in the original
    };
    std::string_view m_original;
    std::string m_composed;
    bool m_changed = false;
    std::vector<Rewritten> m_rewritten; ///< ascending
};

} // namespace fovea
