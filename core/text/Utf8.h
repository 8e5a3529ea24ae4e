#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

inline constexpr char32_t kReplacement = 0xFFFD;

/// One decoded code point of bytes that may not be valid UTF-8. An ill-formed byte gives length 1 and `valid`
/// false.
struct CodePoint {
    char32_t value = kReplacement;
    std::uint32_t length = 1; ///< bytes, 1..4
    bool valid = false;
};

/// Decodes the code point at `at` (below bytes.size()) by table 3-7 of the Unicode Standard: no overlong
/// forms, no surrogates, nothing above U+10FFFF. In a truncated sequence every byte counts as a bad byte of
/// its own.
[[nodiscard]] CodePoint decodeUtf8(std::string_view bytes, std::size_t at);
void appendUtf8(std::string& out, char32_t value);
[[nodiscard]] bool isUtf8(std::string_view bytes);

/// A text in which every ill-formed byte is replaced by U+FFFD, with a map back to the original offsets.
class RepairedText {
public:
    explicit RepairedText(std::string_view bytes);

    [[nodiscard]] std::string_view text() const { return m_repaired.empty() ? m_original : m_repaired; }
    [[nodiscard]] const std::vector<std::size_t>& badBytes() const {
        return m_bad;
    } ///< ascending, in the original
    /// The offset in the original of byte `offset` of text(). The second and third byte of a U+FFFD that
    /// replaces byte b give b + 1. Cost: a binary search over the bad bytes.
    [[nodiscard]] std::size_t original(std::size_t offset) const;

private:
    std::string_view m_original;
    std::string m_repaired; ///< empty when nothing was repaired
    std::vector<std::size_t> m_bad;
};

} // namespace fovea
