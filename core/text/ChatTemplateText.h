#pragma once
#include "core/base/Result.h"
#include "core/text/ChatTemplate.h"
#include <optional>
#include <string>
#include <string_view>

namespace fovea::chat {

/// A template in the forms that it is recognised by. It is only searched.
struct TemplateText {
    std::string text; ///< with `\n` as line breaks
    std::string
        joined; ///< without quotation marks, joins and spaces: <|im_start|>message.role\nmessage.content
};
[[nodiscard]] TemplateText templateText(std::string_view jinja);

[[nodiscard]] bool has(std::string_view text, std::string_view part);
/// The rest of the literal that begins at `at`: up to the quotation mark before it, or in plain text to the
/// next block.
[[nodiscard]] std::string_view literalAt(std::string_view text, std::size_t at);
[[nodiscard]] tl::unexpected<Error> unknown(const std::string& what);
/// Whether every literal that begins with `answer` is `answer` alone, and there is one.
[[nodiscard]] Result<> requireAnswer(const TemplateText& text, std::string_view answer);

/// The template of another family than ChatML, or none when no mark of theirs is there.
[[nodiscard]] std::optional<Result<ChatTemplate>> readOtherFamily(const TemplateText& text);

} // namespace fovea::chat
