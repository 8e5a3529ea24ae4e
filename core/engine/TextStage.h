#pragma once
#include "core/base/Cancel.h"
#include "core/engine/Request.h"
#include "core/model/Model.h"
#include "core/route/TokenFacts.h"
#include "core/text/Tokens.h"
#include <memory>
#include <span>
#include <string_view>

namespace fovea {

/// The request's text as tokens: encoded, wrapped in the chat template when asked, cut to maxTokens.
/// TextTemplate::Chat is the template of the model file (readChatTemplate), its default system turn included:
/// its special tokens are always special; for those in the text see EncodeOptions. Template tokens have empty
/// spans; the spans of the others cover the text. Errors: BadValue (an empty text; a model without the
/// template's tokens), Unsupported (a template that is not known), those of the tokenizer, Cancelled.
[[nodiscard]] Result<Tokens> tokenizeText(const Model& model, const Request& request,
                                          const WorkContext& work);

/// Which tokens are special or punctuation; surprisal from the full run's `nll` (empty: not run yet), 0 for
/// the first token. Punctuation: a piece with no letter, digit or byte beyond ASCII, and at least one ASCII
/// mark; spaces are ignored.
[[nodiscard]] TokenFacts makeFacts(const Tokenizer& tokenizer, const Tokens& tokens,
                                   std::span<const float> nll);

/// The facts for the first `tokens` tokens.
[[nodiscard]] TokenFacts firstFacts(const TokenFacts& facts, std::size_t tokens);

} // namespace fovea
