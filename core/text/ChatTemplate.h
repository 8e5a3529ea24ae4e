#pragma once
#include "core/base/Result.h"
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// What stands around a text that is given as the user's turn of a chat, up to where the model answers:
/// before + turn + TEXT + after. `before` and `after` hold special tokens.
struct ChatTemplate {
    std::string before; ///< the default system turn, if the template has one, and the mark that begins a turn
    std::string turn;   ///< "user\n": it meets the text, so both are tokenised together
    std::string after;  ///< the end of the turn and the beginning of the model's
    std::vector<std::string> marks; ///< must be special tokens of the vocabulary
    bool marksMayBeText = false; ///< a vocabulary without the marks as tokens reads the whole as plain text
    bool trims = false;          ///< white space at both ends of the text is left out
};

/// Recognises the template of a model file (`tokenizer.chat_template`, Jinja) by its content. Known are
/// ChatML, `<|im_start|>ROLE\nTEXT<|im_end|>\n`, with or without a system turn of its own for chats that
/// begin without one, as SmolLM2, Qwen2, Qwen2.5 and Qwen3 have it; Llama 3 to 3.3, with the date that the
/// template names; Gemma 1 to 3; Phi-3, Phi-4 and Phi-4 mini; Mistral's `[INST] TEXT [/INST]` in its
/// spellings. Nothing is executed: whatever is not recognised whole is refused. Errors: Unsupported with what
/// is not known; the sentence says what about the template.
[[nodiscard]] Result<ChatTemplate> readChatTemplate(std::string_view jinja);

} // namespace fovea
