#pragma once
#include "core/base/Result.h"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::lesson {

/// A number, a policy, a quantity or words of the text as a lesson names them: "64", "window64",
/// "row_keys(300, window64)", "token_of('Blue', 2, 453)".
struct Term {
    enum class Kind : std::uint8_t { Number, Name, Call, Text };
    Kind kind = Kind::Number;
    double number = 0;  ///< Number
    std::string name{}; ///< Name: of a policy, or of a quantity without arguments; Call: the quantity; Text:
                        ///< the words
    std::vector<Term> arguments{}; ///< Call
    bool operator==(const Term&) const = default;
    /// Whether it is a call of this quantity.
    [[nodiscard]] bool names(std::string_view quantity) const {
        return kind == Kind::Call && name == quantity;
    }
    /// As a lesson writes it.
    [[nodiscard]] std::string written() const;
};

/// Parses "name", "name(a, b)", a number, or as an argument 'words of the text'; arguments may be terms, at
/// most 4 deep and 200 bytes in all. Names are letters, digits, '_' and '-'; words have no apostrophe,
/// parenthesis or brace. Errors: BadValue.
[[nodiscard]] Result<Term> parseTerm(std::string_view text);

/// What a coloured word of a lesson points at: a token that reads, one that is read, or one that is lost.
enum class Mark : std::uint8_t { None, Query, Key, Lost };

/// A stretch of a paragraph: text as it stands, or a quantity to be filled in.
struct Piece {
    std::string text;
    std::optional<Term> quantity;
    Mark mark = Mark::None;
    std::optional<Term> token; ///< of a coloured word: which token
    int word = -1;             ///< pieces of one coloured word have the same number, from 0; -1: not coloured
    bool operator==(const Piece&) const = default;
};

/// A paragraph. "{pairs(full)}" stands for a quantity; "[some words](query:300)" are coloured words that
/// belong to token 300 as the one that reads ("key": that is read, "lost": that is no longer read). "{{" and
/// "[[" are the signs themselves. The text between is plain: no other markup exists.
using Paragraph = std::vector<Piece>;

/// At most 4,000 bytes. Errors: BadValue with the part that cannot be read.
[[nodiscard]] Result<Paragraph> parseParagraph(std::string_view text);

} // namespace fovea::lesson
