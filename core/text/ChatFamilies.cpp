// Llama 3 (Meta, "Llama 3 model card and prompt formats"), Gemma, Phi-3 and Phi-4, Mistral: what their
// published templates write around a user's turn.
#include "core/text/ChatTemplateText.h"
#include <vector>

namespace fovea::chat {

namespace {

using namespace std::string_view_literals;

Result<ChatTemplate> readLlama3(const TemplateText& t) {
    if (!has(t.joined, "<|start_header_id|>message.role<|end_header_id|>\n\nmessage.content|trim<|eot_id|>"))
        return unknown("writes a turn in another way than Llama 3");
    constexpr std::string_view kAnswer = "<|start_header_id|>assistant<|end_header_id|>\n\n";
    FOVEA_TRY(requireAnswer(t, kAnswer));
    std::string system;
    if (has(t.text, "<|start_header_id|>system")) {
        // Llama 3.1 and later: two lines stand in the system turn even if the chat has none.
        constexpr std::string_view kCutoff = "Cutting Knowledge Date: December 2023\n",
                                   kToday = "Today Date: ";
        constexpr std::string_view kDate = "set date_string = ";
        std::string date;
        for (std::size_t at = t.text.find(kDate); at != std::string::npos; at = t.text.find(kDate, at + 1)) {
            const std::size_t begin = at + kDate.size();
            if (begin < t.text.size() && (t.text[begin] == '"' || t.text[begin] == '\''))
                date = literalAt(t.text, begin + 1);
        }
        if (!has(t.text, kCutoff) || !has(t.text, kToday) || date.empty())
            return unknown("has a system turn that is put together");
        system = std::string("<|start_header_id|>system<|end_header_id|>\n\n")
                     .append(kCutoff)
                     .append(kToday)
                     .append(date)
                     .append("\n\n<|eot_id|>");
    }
    return ChatTemplate{.before = system + "<|start_header_id|>user<|end_header_id|>",
                        .turn = "\n\n",
                        .after = "<|eot_id|>" + std::string(kAnswer),
                        .marks = {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
                        .trims = true};
}

Result<ChatTemplate> readGemma(const TemplateText& t) {
    if (!has(t.joined, "<start_of_turn>role\n") || !has(t.joined, "message.content|trim") ||
        !has(t.joined, "<end_of_turn>\n"))
        return unknown("writes a turn in another way than Gemma");
    FOVEA_TRY(requireAnswer(t, "<start_of_turn>model\n"));
    return ChatTemplate{.before = "<start_of_turn>",
                        .turn = "user\n",
                        .after = "<end_of_turn>\n<start_of_turn>model\n",
                        .marks = {"<start_of_turn>", "<end_of_turn>"},
                        .trims = true};
}

Result<ChatTemplate> readPhi3(const TemplateText& t) {
    const bool lines = has(t.joined, "<|user|>\nmessage.content<|end|>\n") ||
                       has(t.joined, "<|message.role|>\nmessage.content<|end|>\n");
    const bool close = has(t.joined, "<|user|>message.content<|end|>") ||
                       has(t.joined, "<|message.role|>message.content<|end|>");
    if (lines == close)
        return unknown("writes a turn in another way than Phi-3");
    const std::string end = lines ? "\n" : "";
    // Phi-3 mini writes the model's turn into the same literal as the user's end.
    if (!has(t.joined, "<|assistant|>" + end))
        return unknown("does not begin the model's turn");
    return ChatTemplate{.before = "<|user|>" + end,
                        .turn = "",
                        .after = "<|end|>" + end + "<|assistant|>" + end,
                        .marks = {"<|user|>", "<|end|>", "<|assistant|>"}};
}

Result<ChatTemplate> readPhi4(const TemplateText& t) {
    if (!has(t.joined, "<|im_start|>user<|im_sep|>message.content<|im_end|>") &&
        !has(t.joined, "<|im_start|>message.role<|im_sep|>message.content<|im_end|>"))
        return unknown("writes a turn in another way than Phi-4");
    if (!has(t.joined, "<|im_start|>assistant<|im_sep|>"))
        return unknown("does not begin the model's turn");
    return ChatTemplate{.before = "<|im_start|>user<|im_sep|>",
                        .turn = "",
                        .after = "<|im_end|><|im_start|>assistant<|im_sep|>",
                        .marks = {"<|im_start|>", "<|im_sep|>", "<|im_end|>"}};
}

/// The literal around the mark: the quotation mark before it, spaces, the mark, spaces, the same quotation
/// mark. Empty when something else stands there.
std::string spacedLiteral(std::string_view text, std::size_t at, std::string_view mark) {
    std::size_t begin = at, end = at + mark.size();
    while (begin > 0 && text[begin - 1] == ' ')
        --begin;
    while (end < text.size() && text[end] == ' ')
        ++end;
    const bool quoted = begin > 0 && end < text.size() && text[begin - 1] == text[end] &&
                        (text[end] == '\'' || text[end] == '"');
    return quoted ? std::string(text.substr(begin, end - begin)) : std::string();
}

Result<ChatTemplate> readMistral(const TemplateText& t) {
    if (has(t.text, "<<SYS>>") || has(t.text, "[SYSTEM_PROMPT]"))
        return unknown("writes a system turn that is not Mistral's first form");
    if (!has(t.joined, "[INST]message.content[/INST]"))
        return unknown("writes a turn in another way than Mistral");
    std::string forms[2];
    const std::string_view marks[2] = {"[INST]", "[/INST]"};
    for (int m = 0; m < 2; ++m)
        for (std::size_t at = t.text.find(marks[m]); at != std::string::npos;
             at = t.text.find(marks[m], at + 1)) {
            const std::string form = spacedLiteral(t.text, at, marks[m]);
            if (form.empty() || (!forms[m].empty() && forms[m] != form))
                return unknown("writes " + std::string(marks[m]) + " in several ways");
            forms[m] = form;
        }
    // The space after the mark meets the text.
    const std::size_t end = forms[0].find_last_not_of(' ') + 1;
    return ChatTemplate{.before = forms[0].substr(0, end),
                        .turn = forms[0].substr(end),
                        .after = forms[1],
                        .marks = {"[INST]", "[/INST]"},
                        .marksMayBeText = true};
}

} // namespace

std::optional<Result<ChatTemplate>> readOtherFamily(const TemplateText& t) {
    struct Family {
        std::string_view first, second; ///< both occur
        Result<ChatTemplate> (*read)(const TemplateText&);
    };
    static constexpr Family kFamilies[] = {{"<|start_header_id|>", "<|eot_id|>", readLlama3},
                                           {"<start_of_turn>", "<end_of_turn>", readGemma},
                                           {"<|im_start|>", "<|im_sep|>", readPhi4},
                                           {"<|assistant|>", "<|end|>", readPhi3},
                                           {"[INST]", "[/INST]", readMistral}};
    for (const Family& family : kFamilies) {
        if (has(t.text, family.first) && has(t.text, family.second))
            return family.read(t);
    }
    return std::nullopt;
}

} // namespace fovea::chat
