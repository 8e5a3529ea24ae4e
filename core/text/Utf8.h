#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

inline constexpr char32_t kReplacement = 0xFFFD;

/// One step through bytes that may not be UTF-8. An ill-formed byte is one step of length 1 with `valid`
/// false.
struct CodePoint {
    char32_t value = kReplacement;
    std::uint32_t length = 1; ///< bytes, 1..4
    bool valid = false;
};

/// The code point at `at` (< bytes.size()), by the Unicode standard's table 3-7: no overlong forms, no
/// surrogates, nothing above U+10FFFF. A sequence that is cut short is not one fault but a bad byte each.
[[nodiscard]] CodePoint decodeUtf8(std::string_view bytes, std::size_t at);
void appendUtf8(std::string& out, char32_t value);
[[nodiscard]] bool isUtf8(std::string_view bytes);

/// A text in which every ill-formed byte was replaced by U+FFFD, and the way back to the bytes as given.
class RepairedText {
public:
    explicit RepairedText(std::string_view bytes);

    [[nodiscard]] std::string_view text() const { return m_repaired.empty() ? m_original : m_repaired; }
    [[nodiscard]] const std::vector<std::size_t>& badBytes() const {
        return m_bad;
    } ///< ascending, in the original
    /// Where byte `offset` of text() came from; the second and third byte of a U+FFFD that stands for byte b
    /// give b + 1. Ascending calls are cheap: cost is a binary search over the bad bytes.
    [[nodiscard]] std::size_t original(std::size_t offset) const;

private:
    std::string_view m_original;
    std::string m_repaired; ///< empty when nothing was repaired
    std::vector<std::size_t> m_bad;
};

} // namespace fovea
