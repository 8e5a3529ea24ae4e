#include "core/text/ChatTemplate.h"
#include "core/text/ChatTemplateText.h"
#include <algorithm>
#include <initializer_list>

namespace fovea {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kStart = "<|im_start|>";
constexpr std::string_view kEnd = "<|im_end|>\n";
constexpr std::string_view kSystem = "<|im_start|>system\n";
constexpr std::string_view kAnswer = "<|im_start|>assistant\n";

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

} // namespace

namespace chat {

tl::unexpected<Error> unknown(const std::string& what) {
    return fail(ErrorCode::Unsupported,
                "the model file's tokenizer.chat_template " + what +
                    "; ChatML, Llama 3, Gemma, Phi-3, Phi-4 and Mistral are accepted");
}

bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

std::string_view literalAt(std::string_view text, std::size_t at) {
    const char before = at > 0 ? text[at - 1] : '}';
    const std::size_t end = before == '\'' || before == '"' ? text.find(before, at) : text.find('{', at);
    return text.substr(at, std::min(end, text.size()) - at);
}

TemplateText templateText(std::string_view jinja) {
    TemplateText t{std::string(jinja), {}};
    replaceAll(t.text, "\\n", "\n");
    t.joined = joined(t.text);
    return t;
}

Result<> requireAnswer(const TemplateText& t, std::string_view answer) {
    bool answers = false;
    for (std::size_t at = t.text.find(answer); at != std::string::npos; at = t.text.find(answer, at + 1)) {
        if (literalAt(t.text, at) != answer)
            return unknown("begins the model's turn with more than its name");
        answers = true;
    }
    if (!answers)
        return unknown("does not begin the model's turn");
    return {};
}

} // namespace chat

Result<ChatTemplate> readChatTemplate(std::string_view jinja) {
    using namespace chat;
    if (jinja.empty())
        return unknown("is missing");
    const TemplateText both = templateText(jinja);
    if (auto other = readOtherFamily(both))
        return std::move(*other);
    const std::string& text = both.text;
    const std::string& turns = both.joined;
    if (!has(text, kStart) || !has(text, "<|im_end|>"))
        return unknown("has the marks of no family that is known");
    if (!has(turns, "<|im_start|>message.role\nmessage.content<|im_end|>\n") &&
        !has(turns, "<|im_start|>message.role\ncontent<|im_end|>\n"))
        return unknown("writes a turn in another way");
    // What else it could do to a text or put around it.
    for (const std::string_view other : {"bos_token"sv, "eos_token"sv, "|trim"sv, "|upper"sv, "|lower"sv})
        if (has(turns, other))
            return unknown("uses " + std::string(other));

    FOVEA_TRY(requireAnswer(both, kAnswer));
    std::string system;
    for (std::size_t at = text.find(kSystem); at != std::string::npos; at = text.find(kSystem, at + 1)) {
        const std::string_view literal = literalAt(text, at);
        if (literal == kSystem) {
            // What follows is the chat's own system turn or a list of tools, if a condition says so.
            const std::string_view front = std::string_view(text).substr(0, at);
            if (!has(front, "if tools") && !has(front, "== 'system'") && !has(front, "== \"system\""))
                return unknown("has a system turn that is put together");
            continue;
        }
        if (!literal.ends_with(kEnd))
            return unknown("has a system turn that is put together");
        if (!system.empty() && system != literal)
            return unknown("has several default system turns");
        system = literal;
    }
    return ChatTemplate{.before = system + std::string(kStart),
                        .turn = "user\n",
                        .after = "<|im_end|>\n" + std::string(kAnswer),
                        .marks = {std::string(kStart)}};
}

} // namespace fovea
