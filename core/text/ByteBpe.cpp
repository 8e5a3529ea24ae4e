#include "core/text/ByteBpe.h"
#include "core/base/Check.h"
#include "core/text/Utf8.h"
#include <algorithm>

namespace fovea {

namespace {
constexpr std::size_t kPollBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxTextBytes = (std::size_t{1} << 31) / 3 - 1; // a bad byte grows to three
constexpr std::size_t kWhole = std::string_view::npos;
/// A piece that ends this many bytes before a cut of the text is a piece of the whole text too: the patterns
/// look at most three characters beyond a piece's end.
constexpr std::size_t kLookahead = 64;
} // namespace

/// The state of encoding one text. `begins` are filled first; a token ends where the next one begins.
struct ByteBpe::Encoding {
    Tokens tokens;
    std::vector<std::uint32_t> begins;
    BytePairs::Scratch scratch;
    std::vector<MergedToken> merged;
    const WorkContext& work;
    std::size_t textBytes = 0;
    std::size_t most = kWhole;   ///< stop once there are more tokens than this
    std::size_t stable = kWhole; ///< pieces and names that end beyond this byte are left out
    bool stopped = false;
    std::vector<std::size_t> unknownAt, invalidAt; ///< bytes that are counted, unless `most` is kWhole

    [[nodiscard]] bool stopsAt(std::size_t end) {
        stopped = stopped || tokens.ids.size() > most || end > stable;
        return stopped;
    }
    void add(std::int32_t id, std::size_t begin) {
        tokens.ids.push_back(id);
        begins.push_back(static_cast<std::uint32_t>(begin));
    }
    /// Leaves the first `most` tokens, if there are more, and the counts of the bytes that they cover.
    void cut() {
        if (tokens.size() <= most)
            return;
        tokens.ids.resize(most);
        tokens.spans.resize(most);
        tokens.pieces.resize(most);
        const std::size_t end = tokens.spans.back().end;
        const auto count = [end](const std::vector<std::size_t>& at, std::uint64_t& bytes,
                                 std::optional<std::uint64_t>& first) {
            bytes = static_cast<std::uint64_t>(std::lower_bound(at.begin(), at.end(), end) - at.begin());
            first = bytes > 0 ? std::optional<std::uint64_t>(at.front()) : std::nullopt;
        };
        count(unknownAt, tokens.unknownBytes, tokens.firstUnknownByte);
        count(invalidAt, tokens.invalidBytes, tokens.firstInvalidByte);
    }
};

ByteBpe::ByteBpe(Parts parts) : m_parts(std::move(parts)) {
    for (std::int32_t id = 0; id < vocabularySize(); ++id) {
        const std::string& name = m_parts.pieces[static_cast<std::size_t>(id)];
        const TokenKind k = kind(id);
        if (k == TokenKind::User)
            m_user.add(name, id);
        if (k == TokenKind::User || k == TokenKind::Control || k == TokenKind::Unknown) {
            m_special.add(name, id);
            m_longestName = std::max(m_longestName, name.size());
        }
    }
}

std::int32_t ByteBpe::vocabularySize() const {
    return static_cast<std::int32_t>(m_parts.pieces.size());
}

std::string ByteBpe::piece(std::int32_t id) const {
    FOVEA_ASSERT(id >= 0 && id < vocabularySize());
    return m_parts.pieces[static_cast<std::size_t>(id)];
}

TokenKind ByteBpe::kind(std::int32_t id) const {
    FOVEA_ASSERT(id >= 0 && id < vocabularySize());
    const auto& kinds = m_parts.vocabulary.kinds;
    return kinds.empty() ? TokenKind::Normal : static_cast<TokenKind>(kinds[static_cast<std::size_t>(id)]);
}

std::string ByteBpe::decode(const std::vector<std::int32_t>& ids) const {
    std::string bytes;
    for (const std::int32_t id : ids) {
        FOVEA_ASSERT(id >= 0 && id < vocabularySize());
        bytes += m_parts.pieces[static_cast<std::size_t>(id)];
    }
    return bytes;
}

Result<Tokens> ByteBpe::encode(std::string_view text, const EncodeOptions& options,
                               const WorkContext& work) const {
    return encodeFirst(text, kWhole, options, work);
}

Result<Tokens> ByteBpe::encodeFirst(std::string_view text, std::size_t most, const EncodeOptions& options,
                                    const WorkContext& work) const {
    FOVEA_ASSERT(most > 0);
    if (text.size() > kMaxTextBytes)
        return fail(ErrorCode::TooLarge, "The text has " + std::to_string(text.size()) +
                                             " bytes; accepted: up to " + std::to_string(kMaxTextBytes) +
                                             ".");
    const auto started = [&](std::size_t bytes) {
        return Encoding{.tokens = {},
                        .begins = {},
                        .scratch = {},
                        .merged = {},
                        .work = work,
                        .textBytes = bytes,
                        .most = most,
                        .unknownAt = {},
                        .invalidAt = {}};
    };
    // A beginning of the text, longer each time, until it is certain to hold one token more than asked for:
    // where that one begins, the last one ends.
    const std::size_t margin = kLookahead + m_longestName;
    std::size_t bytes = std::min(most, text.size()) * 16 + 4 * margin;
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

Result<> ByteBpe::encodeInto(std::string_view text, const EncodeOptions& options, Encoding& encoding) const {
    Tokens& tokens = encoding.tokens;
    const Vocabulary& vocabulary = m_parts.vocabulary;
    const bool bos = vocabulary.addBos && vocabulary.bos >= 0;
    const bool eos = vocabulary.addEos && vocabulary.eos >= 0;
    if (bos)
        encoding.add(static_cast<std::int32_t>(vocabulary.bos), 0);
    const SpecialTokens& names = options.specialTokens ? m_special : m_user;
    for (std::size_t at = 0; at < text.size();) {
        const auto found = names.find(text, at);
        FOVEA_TRY(encodePlain(text.substr(at, found ? found->begin - at : kWhole), at, encoding));
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
    if (eos && !encoding.stopped) {
        tokens.ids.push_back(static_cast<std::int32_t>(vocabulary.eos));
        const auto end = static_cast<std::uint32_t>(text.size());
        tokens.spans.push_back({end, end});
    }
    tokens.pieces.reserve(tokens.ids.size());
    for (const std::int32_t id : tokens.ids)
        tokens.pieces.push_back(m_parts.pieces[static_cast<std::size_t>(id)]);
    return {};
}

/// `text` contains no special token and begins at byte `offset` of the whole text.
Result<> ByteBpe::encodePlain(std::string_view text, std::size_t offset, Encoding& encoding) const {
    if (text.empty())
        return {};
    Tokens& tokens = encoding.tokens;
    const RepairedText repaired(text);
    const std::string_view clean = repaired.text();
    if (!repaired.badBytes().empty()) {
        tokens.invalidBytes += repaired.badBytes().size();
        if (!tokens.firstInvalidByte)
            tokens.firstInvalidByte = offset + repaired.badBytes().front();
        if (encoding.most != kWhole)
            for (const std::size_t at : repaired.badBytes())
                encoding.invalidAt.push_back(offset + at);
    }
    const auto ends = m_parts.preTokenizer.pieceEnds(clean);
    if (!ends)
        return tl::make_unexpected(ends.error());
    // Several bytes of a U+FFFD may lack a token, but it replaces only one bad byte, which is counted once.
    std::size_t lastUnknown = std::string_view::npos;
    const auto countUnknown = [&](std::size_t cleanByte) {
        std::size_t source = repaired.original(cleanByte);
        if (repaired.original(cleanByte + 1) ==
            source) // second or third byte of a U+FFFD: use the byte that it replaces
            --source;
        if (source == lastUnknown)
            return;
        lastUnknown = source;
        ++tokens.unknownBytes;
        if (!tokens.firstUnknownByte)
            tokens.firstUnknownByte = offset + source;
        if (encoding.most != kWhole)
            encoding.unknownAt.push_back(offset + source);
    };
    std::size_t begin = 0, polled = 0;
    for (const std::size_t end : *ends) {
        if (encoding.most != kWhole && encoding.stopsAt(offset + repaired.original(end)))
            break;
        if (end - polled >= kPollBytes) {
            polled = end;
            FOVEA_TRY(encoding.work.checkpoint());
            encoding.work.report("reading tokens", static_cast<double>(offset + repaired.original(begin)),
                                 static_cast<double>(encoding.textBytes));
        }
        const std::string_view piece = clean.substr(begin, end - begin);
        encoding.merged.clear();
        FOVEA_TRY(m_parts.pairs.merge(piece, encoding.scratch, encoding.merged, encoding.work));
        for (const MergedToken& token : encoding.merged)
            encoding.add(token.id, offset + repaired.original(begin + token.begin));
        for (std::size_t b = 0; b < piece.size(); ++b)
            if (m_parts.pairs.idOfByte(static_cast<unsigned char>(piece[b])) < 0)
                countUnknown(begin + b);
        begin = end;
    }
    return {};
}

} // namespace fovea
