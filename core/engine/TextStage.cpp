#include "core/engine/TextStage.h"
#include "core/text/ChatTemplate.h"
#include <algorithm>
#include <cmath>

namespace fovea {

namespace {

constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);

/// Appends `more`, whose spans count from `origin` of its own text, onto `tokens` as bytes of the user's text
/// [0, size).
void append(Tokens& tokens, const Tokens& more, std::uint32_t origin, std::uint32_t base,
            std::uint32_t size) {
    for (std::size_t i = 0; i < more.size(); ++i) {
        const auto place = [=](std::uint32_t at) {
            return base + std::min(at > origin ? at - origin : 0, size);
        };
        tokens.ids.push_back(more.ids[i]);
        tokens.spans.push_back({place(more.spans[i].begin), place(more.spans[i].end)});
        tokens.pieces.push_back(more.pieces[i]);
    }
}

bool isSpecial(const Tokenizer& tokenizer, std::int32_t id) {
    const TokenKind kind = tokenizer.kind(id);
    return kind == TokenKind::Control || kind == TokenKind::User;
}

/// A template's part, without the beginning-of-text token that the tokenizer may put before every text.
Result<Tokens> encodePart(const Model& model, std::string_view text, bool specialTokens, bool first,
                          const WorkContext& work, std::size_t most = kNoLimit) {
    Result<Tokens> part = model.tokenizer->encodeFirst(text, most, {specialTokens}, work);
    if (part && !first && part->size() > 0 && part->spans[0].end == 0 && !text.empty()) {
        part->ids.erase(part->ids.begin());
        part->spans.erase(part->spans.begin());
        part->pieces.erase(part->pieces.begin());
    }
    return part;
}

/// At least the first `most` tokens of the text in its template.
Result<Tokens> encodeChat(const Model& model, const std::string& text, const EncodeOptions& options,
                          std::size_t most, const WorkContext& work) {
    const Result<ChatTemplate> chat = readChatTemplate(model.chatTemplate);
    if (!chat)
        return fail(chat.error().code, "template: chat is asked of \"" + model.info.name + "\", and " +
                                           chat.error().message + ", and so is raw.");
    const Result<Tokens> mark = encodePart(model, "<|im_start|>", true, false, work);
    FOVEA_TRY(mark);
    if (mark->size() != 1 || !isSpecial(*model.tokenizer, mark->ids[0]))
        return fail(ErrorCode::BadValue, "template: \"chat\" needs a model with the ChatML tokens; \"" +
                                             model.info.name + "\" has no <|im_start|>. Use raw.");
    const Result<Tokens> before = encodePart(model, chat->before, true, true, work);
    FOVEA_TRY(before);
    // The name of the turn is tokenised together with the text, because line breaks at their border form one
    // piece.
    const std::size_t needed = most == kNoLimit ? most : most + 1; // one may be taken off at the front
    const Result<Tokens> turn =
        encodePart(model, chat->turn + text, options.specialTokens, false, work, needed);
    FOVEA_TRY(turn);
    const Result<Tokens> after = encodePart(model, chat->after, true, false, work);
    FOVEA_TRY(after);

    const auto size = static_cast<std::uint32_t>(text.size());
    const auto origin = static_cast<std::uint32_t>(chat->turn.size());
    Tokens tokens;
    append(tokens, *before, 0, 0, 0);
    append(tokens, *turn, origin, 0, size);
    append(tokens, *after, 0, size, 0);
    tokens.unknownBytes = turn->unknownBytes;
    tokens.invalidBytes = turn->invalidBytes;
    if (turn->firstUnknownByte)
        tokens.firstUnknownByte =
            *turn->firstUnknownByte - std::min<std::uint64_t>(*turn->firstUnknownByte, origin);
    if (turn->firstInvalidByte)
        tokens.firstInvalidByte =
            *turn->firstInvalidByte - std::min<std::uint64_t>(*turn->firstInvalidByte, origin);
    return tokens;
}

bool isPunctuation(std::string_view piece) {
    bool mark = false;
    for (const char ch : piece) {
        const auto c = static_cast<unsigned char>(ch);
        const bool letterOrDigit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (c >= 0x80 || letterOrDigit)
            return false;
        mark = mark || (c > ' ' && c < 0x7F);
    }
    return mark;
}

} // namespace

Result<Tokens> tokenizeText(const Model& model, const Request& request, const WorkContext& work) {
    if (!request.text || request.text->empty())
        return fail(ErrorCode::BadValue, "text: empty, 0 bytes; at least one character is needed.");
    const std::size_t most = request.maxTokens > 0 ? request.maxTokens : kNoLimit;
    Result<Tokens> tokens = request.textTemplate == TextTemplate::Chat
                                ? encodeChat(model, *request.text, request.encode, most, work)
                                : model.tokenizer->encodeFirst(*request.text, most, request.encode, work);
    FOVEA_TRY(tokens);
    if (tokens->ids.empty())
        return fail(ErrorCode::BadValue, "text: " + std::to_string(request.text->size()) +
                                             " bytes that give no token; at least one token is needed.");
    if (tokens->size() > most) { // the template's own tokens come on top of the text's
        tokens->ids.resize(most);
        tokens->spans.resize(most);
        tokens->pieces.resize(most);
    }
    return tokens;
}

TokenFacts makeFacts(const Tokenizer& tokenizer, const Tokens& tokens, std::span<const float> nll) {
    TokenFacts facts;
    facts.tokens = tokens.size();
    facts.ids = tokens.ids;
    facts.special.resize(tokens.size());
    facts.punctuation.resize(tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        facts.special[i] = isSpecial(tokenizer, tokens.ids[i]) ? 1 : 0;
        facts.punctuation[i] = facts.special[i] == 0 && isPunctuation(tokens.pieces[i]) ? 1 : 0;
    }
    facts.surprisal.assign(nll.begin(), nll.end());
    for (float& x : facts.surprisal)
        if (std::isnan(x))
            x = 0; // nothing stands before the first token
    return facts;
}

TokenFacts firstFacts(const TokenFacts& facts, std::size_t tokens) {
    TokenFacts first = facts;
    first.tokens = std::min(tokens, facts.tokens);
    first.special.resize(std::min(tokens, first.special.size()));
    first.punctuation.resize(std::min(tokens, first.punctuation.size()));
    first.surprisal.resize(std::min(tokens, first.surprisal.size()));
    first.ids.resize(std::min(tokens, first.ids.size()));
    return first;
}

} // namespace fovea
