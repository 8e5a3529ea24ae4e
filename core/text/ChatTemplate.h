#pragma once
#include "core/base/Result.h"
#include <string>
#include <string_view>

namespace fovea {

/// What stands around a text that is given as the user's turn of a chat, up to where the model answers:
/// before + turn + TEXT + after.
struct ChatTemplate {
    std::string before; ///< the default system turn, if the template has one, and the mark that begins a turn
    std::string turn;   ///< "user\n": it meets the text, so both are tokenised together
    std::string after;  ///< the end of the turn and the beginning of the model's
};

/// Recognises the template of a model file (`tokenizer.chat_template`, Jinja) by its content. Known is
/// ChatML,
/// `<|im_start|>ROLE\nTEXT<|im_end|>\n`, with or without a system turn of its own for chats that begin
/// without one, as SmolLM2, Qwen2, Qwen2.5 and Qwen3 have it. Nothing is executed: whatever is not recognised
/// whole is refused. Errors: Unsupported with what is not known; the sentence says what about the template.
[[nodiscard]] Result<ChatTemplate> readChatTemplate(std::string_view jinja);

} // namespace fovea
