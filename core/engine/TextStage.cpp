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

/// The part of `text` that the template keeps.
struct Kept {
    std::size_t begin = 0, end = 0;
};
Kept trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t\n\r\f\v";
    const std::size_t begin = text.find_first_not_of(kSpace);
    return begin == std::string_view::npos ? Kept{0, 0} : Kept{begin, text.find_last_not_of(kSpace) + 1};
}

/// Whether every mark of the template is one special token. Errors: BadValue, unless the marks may be text.
Result<bool> hasMarks(const Model& model, const ChatTemplate& chat, const WorkContext& work) {
    for (const std::string& mark : chat.marks) {
        const Result<Tokens> tokens = encodePart(model, mark, true, false, work);
        FOVEA_TRY(tokens);
        if (tokens->size() == 1 && isSpecial(*model.tokenizer, tokens->ids[0]))
            continue;
        if (chat.marksMayBeText)
            return false;
        return fail(ErrorCode::BadValue,
                    "template: \"chat\" needs a model with the tokens of its template; \"" + model.info.name +
                        "\" has no " + mark + ". Use raw.");
    }
    return true;
}

/// At least the first `most` tokens of the text in its template.
Result<Tokens> encodeChat(const Model& model, const std::string& text, const EncodeOptions& options,
                          std::size_t most, const WorkContext& work) {
    const Result<ChatTemplate> chat = readChatTemplate(model.chatTemplate);
    if (!chat)
        return fail(chat.error().code, "template: chat is asked of \"" + model.info.name + "\", and " +
                                           chat.error().message + ", and so is raw.");
    const Result<bool> marks = hasMarks(model, *chat, work);
    FOVEA_TRY(marks);
    const Kept kept = chat->trims ? trimmed(text) : Kept{0, text.size()};
    const std::string inside = text.substr(kept.begin, kept.end - kept.begin);
    // Where the marks are plain text, everything is: pieces may reach across the borders of the parts.
    const std::string front = *marks ? chat->turn : chat->before + chat->turn;
    const std::string back = *marks ? std::string() : chat->after;
    Result<Tokens> before, after;
    if (*marks) {
        before = encodePart(model, chat->before, true, true, work);
        FOVEA_TRY(before);
        after = encodePart(model, chat->after, true, false, work);
        FOVEA_TRY(after);
    }
    // The name of the turn is tokenised together with the text, because line breaks at their border form one
    // piece.
    const std::size_t needed = most == kNoLimit ? most : most + 1; // one may be taken off at the front
    const Result<Tokens> turn =
        encodePart(model, front + inside + back, options.specialTokens, !*marks, work, needed);
    FOVEA_TRY(turn);

    const auto base = static_cast<std::uint32_t>(kept.begin);
    const auto size = static_cast<std::uint32_t>(inside.size()), last = base + size;
    const auto origin = static_cast<std::uint32_t>(front.size());
    Tokens tokens;
    append(tokens, *before, 0, 0, 0);
    append(tokens, *turn, origin, base, size);
    append(tokens, *after, 0, last, 0);
    // White space that is left out belongs to the tokens beside it.
    for (Span& span : tokens.spans) {
        const auto widened = [&](std::uint32_t at) {
            return at == base ? 0 : at == last ? static_cast<std::uint32_t>(text.size()) : at;
        };
        span = {widened(span.begin), widened(span.end)};
    }
    tokens.unknownBytes = turn->unknownBytes;
    tokens.invalidBytes = turn->invalidBytes;
    const auto inText = [&](std::uint64_t at) {
        return base + std::min<std::uint64_t>(at > origin ? at - origin : 0, size);
    };
    if (turn->firstUnknownByte)
        tokens.firstUnknownByte = inText(*turn->firstUnknownByte);
    if (turn->firstInvalidByte)
        tokens.firstInvalidByte = inText(*turn->firstInvalidByte);
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

/// The first `most` tokens. An encoder has learned texts that end with the token its tokenizer adds ([SEP]),
/// so that a text that is cut ends with it, too.
Result<> cutTo(std::size_t most, const Model& model, Tokens& tokens, const WorkContext& work) {
    tokens.ids.resize(most);
    tokens.spans.resize(most);
    tokens.pieces.resize(most);
    if (model.shape.causal)
        return {};
    const Result<Tokens> empty = model.tokenizer->encode("", {}, work);
    FOVEA_TRY(empty);
    if (empty->size() < 2 || most < 2)
        return {};
    tokens.ids.back() = empty->ids.back();
    tokens.pieces.back() = empty->pieces.back();
    tokens.spans.back().end = tokens.spans.back().begin;
    return {};
}

} // namespace

Result<Tokens> tokenizeText(const Model& model, const Request& request, const WorkContext& work) {
    if (!request.text || request.text->empty())
        return fail(ErrorCode::BadValue, "text: empty, 0 bytes; at least one character is needed.");
    const std::size_t most = request.maxTokens > 0 ? request.maxTokens : kNoLimit;
    // One more says whether the text of an encoder is cut.
    const std::size_t asked = model.shape.causal || most == kNoLimit ? most : most + 1;
    Result<Tokens> tokens = request.textTemplate == TextTemplate::Chat
                                ? encodeChat(model, *request.text, request.encode, asked, work)
                                : model.tokenizer->encodeFirst(*request.text, asked, request.encode, work);
    FOVEA_TRY(tokens);
    if (tokens->ids.empty())
        return fail(ErrorCode::BadValue, "text: " + std::to_string(request.text->size()) +
                                             " bytes that give no token; at least one token is needed.");
    if (tokens->size() > most) // the template's own tokens come on top of the text's
        FOVEA_TRY(cutTo(most, model, *tokens, work));
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
