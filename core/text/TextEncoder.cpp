#include "core/text/TextEncoder.h"
#include "core/base/Check.h"
#include <algorithm>

namespace fovea {

namespace {
constexpr std::size_t kMaxTextBytes = (std::size_t{1} << 31) / 3 - 1; // a bad byte grows to three
constexpr std::size_t kWhole = Encoding::kWhole;
/// A piece that ends this many bytes before a cut of the text is a piece of the whole text too: the patterns
/// look at most three characters beyond a piece's end.
constexpr std::size_t kLookahead = 64;
} // namespace

TextEncoder::TextEncoder(Parts parts) : m_parts(std::move(parts)) {
    for (std::int32_t id = 0; id < vocabularySize(); ++id) {
        const TokenKind k = kind(id);
        if (k != TokenKind::User && k != TokenKind::Control && k != TokenKind::Unknown)
            continue;
        const auto at = static_cast<std::size_t>(id);
        const std::string& name = m_parts.names[at];
        const std::uint8_t strips = m_parts.vocabulary.strips.empty() ? 0 : m_parts.vocabulary.strips[at];
        if (k == TokenKind::User)
            m_user.add(name, id, strips);
        m_special.add(name, id, strips);
        m_longestName = std::max(m_longestName, name.size());
    }
    m_parts.names.clear();
    m_parts.names.shrink_to_fit();
}

std::int32_t TextEncoder::vocabularySize() const {
    return static_cast<std::int32_t>(m_parts.pieces.size());
}

std::string TextEncoder::piece(std::int32_t id) const {
    FOVEA_ASSERT(id >= 0 && id < vocabularySize());
    return m_parts.pieces[static_cast<std::size_t>(id)];
}

TokenKind TextEncoder::kind(std::int32_t id) const {
    FOVEA_ASSERT(id >= 0 && id < vocabularySize());
    const auto& kinds = m_parts.vocabulary.kinds;
    return kinds.empty() ? TokenKind::Normal : static_cast<TokenKind>(kinds[static_cast<std::size_t>(id)]);
}

std::string TextEncoder::decode(const std::vector<std::int32_t>& ids) const {
    std::string bytes;
    for (const std::int32_t id : ids) {
        FOVEA_ASSERT(id >= 0 && id < vocabularySize());
        bytes += m_parts.pieces[static_cast<std::size_t>(id)];
    }
    return bytes;
}

Result<Tokens> TextEncoder::encode(std::string_view text, const EncodeOptions& options,
                                   const WorkContext& work) const {
    return encodeFirst(text, kWhole, options, work);
}

Result<Tokens> TextEncoder::encodeFirst(std::string_view text, std::size_t most, const EncodeOptions& options,
                                        const WorkContext& work) const {
    FOVEA_ASSERT(most > 0);
    if (text.size() > kMaxTextBytes)
        return fail(ErrorCode::TooLarge, "The text has " + std::to_string(text.size()) +
                                             " bytes; accepted: up to " + std::to_string(kMaxTextBytes) +
                                             ".");
    const auto started = [&](std::size_t bytes) {
        return Encoding{.work = work,
                        .textBytes = bytes,
                        .most = most,
                        .tokens = {},
                        .begins = {},
                        .unknownAt = {},
                        .invalidAt = {}};
    };
    // A beginning of the text, longer each time, until it is certain to hold one token more than asked for:
    // where that one begins, the last one ends. A text that is composed is read whole, because marks far
    // behind a letter may be sorted before others.
    const std::size_t margin = kLookahead + m_longestName;
    std::size_t bytes =
        m_parts.vocabulary.composed ? text.size() : std::min(most, text.size()) * 16 + 4 * margin;
    for (; bytes < text.size(); bytes *= 4) {
        Encoding encoding = started(bytes);
        encoding.stable = bytes - margin;
        FOVEA_TRY(encodeInto(text.substr(0, bytes), options, encoding));
        if (encoding.tokens.size() > most) {
            encoding.cut();
            return std::move(encoding.tokens);
        }
    }
    Encoding encoding = started(text.size());
    FOVEA_TRY(encodeInto(text, options, encoding));
    encoding.cut();
    return std::move(encoding.tokens);
}

Result<> TextEncoder::encodeInto(std::string_view text, const EncodeOptions& options,
                                 Encoding& encoding) const {
    Tokens& tokens = encoding.tokens;
    const Vocabulary& vocabulary = m_parts.vocabulary;
    const bool bos = vocabulary.addBos && vocabulary.bos >= 0;
    const bool eos = vocabulary.addEos && vocabulary.eos >= 0;
    if (bos)
        encoding.add(static_cast<std::int32_t>(vocabulary.bos), 0);
    const SpecialTokens& names = options.specialTokens ? m_special : m_user;
    for (std::size_t at = 0; at < text.size();) {
        const auto found = names.find(text, at);
        const std::size_t end = found ? found->begin : text.size();
        if (end > at) {
            PartSink sink(text.substr(at, end - at), at, vocabulary.composed, encoding);
            FOVEA_TRY(m_parts.model->encode({sink.text(), at == 0}, sink));
        }
        if (!found || encoding.stopsAt(found->end))
            break;
        encoding.add(found->id, found->begin);
        at = found->end;
    }

    // Bytes without a token belong to the span of the token before them; those at the start belong to the
    // first token.
    const std::size_t first = bos ? 1 : 0, last = tokens.ids.size();
    tokens.spans.resize(last);
    for (std::size_t t = first; t < last; ++t)
        tokens.spans[t] = {t == first ? 0 : encoding.begins[t],
                           t + 1 < last ? encoding.begins[t + 1] : static_cast<std::uint32_t>(text.size())};
    if (eos && !encoding.stopped && encoding.stable == kWhole) { // not after a mere beginning
        tokens.ids.push_back(static_cast<std::int32_t>(vocabulary.eos));
        const auto end = last > first ? static_cast<std::uint32_t>(text.size()) : 0;
        tokens.spans.push_back({end, end});
    }
    tokens.pieces.reserve(tokens.ids.size());
    for (const std::int32_t id : tokens.ids)
        tokens.pieces.push_back(m_parts.pieces[static_cast<std::size_t>(id)]);
    return {};
}

} // namespace fovea
