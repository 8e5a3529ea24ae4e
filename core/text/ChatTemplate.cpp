#include "core/text/ChatTemplate.h"
#include <algorithm>
#include <initializer_list>

namespace fovea {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kStart = "<|im_start|>";
constexpr std::string_view kEnd = "<|im_end|>\n";
constexpr std::string_view kSystem = "<|im_start|>system\n";
constexpr std::string_view kAnswer = "<|im_start|>assistant\n";

tl::unexpected<Error> unknown(const std::string& what) {
    return fail(ErrorCode::Unsupported, "the model file's tokenizer.chat_template " + what +
                                            "; ChatML, with or without a default system turn, is accepted");
}

bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

void replaceAll(std::string& text, std::string_view from, std::string_view to) {
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
}

/// The template with quotation marks, joins and spaces taken out, so that one turn reads the same however it
/// was put together: <|im_start|>message.role\nmessage.content<|im_end|>\n.
std::string joined(std::string text) {
    for (const std::string_view mark :
         {"{{-"sv, "-}}"sv, "{{"sv, "}}"sv, "'"sv, "\""sv, "+"sv, " "sv, "\t"sv})
        replaceAll(text, mark, "");
    replaceAll(text, "[role]", ".role");
    replaceAll(text, "[content]", ".content");
    return text;
}

/// The rest of the literal that begins at `at`: up to the quotation mark before it, or in plain text to the
/// next block.
std::string_view literalAt(std::string_view text, std::size_t at) {
    const char before = at > 0 ? text[at - 1] : '}';
    const std::size_t end = before == '\'' || before == '"' ? text.find(before, at) : text.find('{', at);
    return text.substr(at, std::min(end, text.size()) - at);
}

} // namespace

Result<ChatTemplate> readChatTemplate(std::string_view jinja) {
    if (jinja.empty())
        return unknown("is missing");
    std::string text(jinja);
    replaceAll(text, "\\n", "\n");
    if (!has(text, kStart) || !has(text, "<|im_end|>"))
        return unknown("has no <|im_start|> and <|im_end|>");
    const std::string turns = joined(text);
    if (!has(turns, "<|im_start|>message.role\nmessage.content<|im_end|>\n") &&
        !has(turns, "<|im_start|>message.role\ncontent<|im_end|>\n"))
        return unknown("writes a turn in another way");
    // What else it could do to a text or put around it.
    for (const std::string_view other : {"bos_token"sv, "eos_token"sv, "|trim"sv, "|upper"sv, "|lower"sv})
        if (has(turns, other))
            return unknown("uses " + std::string(other));

    bool answers = false;
    for (std::size_t at = text.find(kAnswer); at != std::string::npos; at = text.find(kAnswer, at + 1)) {
        if (literalAt(text, at) != kAnswer)
            return unknown("begins the model's turn with more than its name");
        answers = true;
    }
    if (!answers)
        return unknown("does not begin the model's turn");

    std::string system;
    for (std::size_t at = text.find(kSystem); at != std::string::npos; at = text.find(kSystem, at + 1)) {
        const std::string_view literal = literalAt(text, at);
        if (literal == kSystem) // what follows is the chat's own system turn
            continue;
        if (!literal.ends_with(kEnd))
            return unknown("has a system turn that is put together");
        if (!system.empty() && system != literal)
            return unknown("has several default system turns");
        system = literal;
    }
    return ChatTemplate{system + std::string(kStart), "user\n", "<|im_end|>\n" + std::string(kAnswer)};
}

} // namespace fovea
