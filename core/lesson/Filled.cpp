#include "core/lesson/Filled.h"
#include "core/files/Quote.h"
#include <charconv>

namespace fovea::lesson {

namespace {

/// The number behind a '#' in `text`, as "#300" or "#1,300"; -1: there is none.
long numberIn(std::string_view text) {
    const std::size_t at = text.find('#');
    if (at == std::string_view::npos)
        return -1;
    std::string digits(text.substr(at + 1));
    std::erase(digits, ',');
    long number = -1;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
}

std::string trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(' ');
    return first == std::string_view::npos
               ? std::string()
               : std::string(text.substr(first, text.find_last_not_of(' ') - first + 1));
}

} // namespace

FilledParagraph fill(const Paragraph& paragraph, const Scene& scene, std::vector<std::string>* problems,
                     std::string_view missing) {
    FilledParagraph filled;
    const auto complain = [&](const Error& error) {
        if (problems != nullptr)
            problems->push_back(error.message);
        return missing.empty() ? "(" + error.message + ")" : std::string(missing);
    };
    for (const Piece& piece : paragraph) {
        FilledPiece out{piece.text, piece.mark, -1, piece.word};
        if (piece.quantity) {
            const Result<Value> value = evaluate(*piece.quantity, scene);
            out.text = value ? value->shown() : complain(value.error());
        }
        if (piece.token) {
            const Result<Value> token = evaluate(*piece.token, scene);
            if (!token || token->number < 0 || token->number >= static_cast<double>(scene.tokens)) {
                static_cast<void>(
                    complain(token ? Error{ErrorCode::BadValue, "there is no token " + grouped(token->number)}
                                   : token.error()));
                out.mark = Mark::None;
            } else {
                out.token = static_cast<int>(token->number);
            }
        }
        filled.push_back(std::move(out));
    }
    return filled;
}

std::string plainText(const FilledParagraph& paragraph) {
    std::string text;
    for (const FilledPiece& piece : paragraph)
        text += piece.text;
    return text;
}

std::vector<std::string> falseWords(const Paragraph& paragraph, const Scene& scene) {
    std::vector<std::string> wrong;
    for (std::size_t i = 0; i < paragraph.size(); ++i) {
        const Piece& first = paragraph[i];
        if (!first.token || (i > 0 && paragraph[i - 1].word == first.word))
            continue;
        std::string typed;
        bool counted = false;
        for (std::size_t j = i; j < paragraph.size() && paragraph[j].word == first.word; ++j) {
            typed += paragraph[j].text;
            counted = counted || paragraph[j].quantity.has_value();
        }
        const bool stated = first.token->kind == Term::Kind::Number || first.token->names("token_of");
        const Result<Value> at = evaluate(*first.token, scene);
        if (counted || !at || at->number < 0 || at->number >= static_cast<double>(scene.tokens))
            continue;
        const auto token = static_cast<std::size_t>(at->number);
        if (const long number = numberIn(typed); number >= 0) {
            if (number != static_cast<long>(token))
                wrong.push_back("the coloured word " + inQuotes(typed) + " points at token " +
                                std::to_string(token));
        } else if (stated && scene.text) {
            const std::string there = wordAt(scene, token);
            // A word may be several tokens; the first one counts.
            if (there.empty() || !trimmed(typed).starts_with(there))
                wrong.push_back("the coloured word " + inQuotes(typed) + " points at token " +
                                std::to_string(token) + ", which is " + inQuotes(there));
        }
    }
    return wrong;
}

} // namespace fovea::lesson
