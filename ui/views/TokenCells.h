#pragma once
#include "core/text/Tokenizer.h"
#include <QString>
#include <string_view>
#include <vector>

namespace fovea::ui {

/// How one token is written on screen.
struct TokenCell {
    QString text;        ///< as displayText says; leading spaces are middle dots
    int leadingDots = 0; ///< how many of them
    /// 1: draws itself. n > 1: `text` is what this token and the n - 1 after it are together, because a
    /// character or a letter with its accents spans them. 0: one of those.
    int tokens = 1;
    int breaks = 0; ///< newlines in the token: a line ends after it
    int indent = 0; ///< spaces after the last newline
    bool newlinesOnly = false;
    bool special = false;
    bool loose = false; ///< holds bytes of the text that became no token or U+FFFD
    bool operator==(const TokenCell&) const = default;
};

/// One cell per token. `text` is the text that was tokenised; with `joinCharacters`, tokens that share a
/// character, or a letter and its combining marks, are drawn together (prose), else apart (chips).
[[nodiscard]] std::vector<TokenCell> makeTokenCells(const Tokens& tokens, std::string_view text,
                                                    const Tokenizer& tokenizer, bool joinCharacters);

/// Words of a text that has no tokens yet, to be shown meanwhile.
[[nodiscard]] std::vector<TokenCell> makeWordCells(std::string_view text);

} // namespace fovea::ui
