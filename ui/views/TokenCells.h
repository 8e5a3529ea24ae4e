#pragma once
#include "core/text/Tokenizer.h"
#include <QString>
#include <string_view>
#include <vector>

namespace fovea::ui {

/// The appearance of one token on screen.
struct TokenCell {
    QString text;        ///< as returned by displayText; leading spaces are middle dots
    int leadingDots = 0; ///< number of leading middle dots
    /// Number of tokens that `text` stands for. n > 1: this token and the n - 1 after it, which have 0,
    /// because one character or a letter with its accents spans them.
    int tokens = 1;
    int breaks = 0; ///< newlines in the token; if any, the line ends after it
    int indent = 0; ///< spaces after the last newline
    bool newlinesOnly = false;
    bool special = false;
    bool loose = false; ///< contains bytes of the text that became no token, or U+FFFD
    bool operator==(const TokenCell&) const = default;
};

/// One cell per token. `text` is the text that was tokenised; with `joinCharacters`, tokens that share a
/// character, or a letter and its combining marks, are drawn together (prose), else apart (chips).
[[nodiscard]] std::vector<TokenCell> makeTokenCells(const Tokens& tokens, std::string_view text,
                                                    const Tokenizer& tokenizer, bool joinCharacters);

/// The words of a text, shown until its tokens are known.
[[nodiscard]] std::vector<TokenCell> makeWordCells(std::string_view text);

} // namespace fovea::ui
