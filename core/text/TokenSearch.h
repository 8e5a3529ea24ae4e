#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include "core/text/Tokens.h"
#include <cstdint>
#include <string_view>
#include <vector>

namespace fovea {

/// One match: the tokens [first, last) that it touches.
struct TokenMatch {
    std::uint32_t first = 0, last = 0;
    bool operator==(const TokenMatch&) const = default;
};

/// Finds tokens of a text.
///  - "#412" or "#412-420": the tokens at these positions
///  - "id:284": every token of that id
///  - "re:cod(e|es)": every match of a Perl-compatible expression in the text, without regard to case
///  - anything else: every occurrence of these bytes in the text; ASCII letters match in both cases
/// A match in the text may begin and end inside a token. Matches are in the order of the text and do not
/// overlap; an empty match is skipped. Errors: BadValue for an empty pattern, a position past the text, an id
/// that is no number, or an expression that does not compile or needs too many steps; Cancelled between two
/// matches. Thread-safe. Cost: linear in the text, except for expressions. Throws std::bad_alloc.
[[nodiscard]] Result<std::vector<TokenMatch>> findTokens(const Tokens& tokens, std::string_view text,
                                                         std::string_view pattern,
                                                         const WorkContext& work = {});

} // namespace fovea
