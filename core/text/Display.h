#pragma once
#include <string>
#include <string_view>

namespace fovea {

/// Token text for the screen: leading space as U+00B7, newline as U+21B5, tab as U+21E5, loose bytes `<E2>`;
/// control, bidi, zero-width and private-use characters as `\u{202E}`; cut to `maxCharacters` with U+2026.
/// Plain text, never markup.
[[nodiscard]] std::string displayText(std::string_view bytes, std::size_t maxCharacters = 40);

/// Token text for files: `\\`, `\n`, `\t`, `\xE2` for loose bytes, `\u{202E}` as above; uncut, always valid
/// UTF-8.
[[nodiscard]] std::string escapedText(std::string_view bytes);

} // namespace fovea
