#pragma once
#include <string>
#include <string_view>

namespace fovea {

/// Token text for the screen. A leading space becomes U+00B7, a newline U+21B5, a tab U+21E5; a byte that is
/// not part of a whole character becomes `<E2>`; control, bidi, zero-width and private-use characters become
/// `\u{202E}`. Text longer than `maxCharacters` is cut and ends with U+2026. The result is plain text, never
/// markup.
[[nodiscard]] std::string displayText(std::string_view bytes, std::size_t maxCharacters = 40);

/// Token text for files: `\\`, `\n`, `\t`, `\xE2` for a byte that is not part of a whole character, and
/// `\u{202E}` as above. Never cut, always valid UTF-8.
[[nodiscard]] std::string escapedText(std::string_view bytes);

} // namespace fovea
