#include "core/text/TokenGroups.h"
#include "core/text/Unicode.h"
#include "core/text/Utf8.h"
#include <algorithm>
#include <array>
#include <string>

namespace fovea {

namespace {

enum class Kind : std::uint8_t { Space, Break, Letter, Sign };

bool endsSentence(char32_t c) {
    static constexpr std::array<char32_t, 6> kEnds{'.', '!', '?', 0x3002, 0xFF01, 0xFF1F};
    return std::find(kEnds.begin(), kEnds.end(), c) != kEnds.end();
}

bool isWide(char32_t c) { // written without spaces: the mark alone ends the sentence
    return c >= 0x3000;
}

Kind kindOf(char32_t c) {
    if (c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029)
        return Kind::Break;
    if (isWhiteSpace(c))
        return Kind::Space;
    if (c == '\'' || c == 0x2019) // don't, l'eau
        return Kind::Letter;
    const bool asciiSign =
        c < 0x80 && !((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'));
    return asciiSign || isPunctuation(c) ? Kind::Sign : Kind::Letter;
}

/// Walks the characters of the joined pieces and remembers at which tokens a group begins.
class Grouper {
public:
    explicit Grouper(bool sentences) : m_sentences(sentences) {}

    /// One character; `token`: the one that its first byte belongs to.
    void take(char32_t c, std::size_t token) {
        const Kind kind = kindOf(c);
        if (m_sentences)
            sentence(c, kind, token);
        else
            word(kind, token);
        m_before = kind;
    }
    void added(std::size_t token) { // stands alone
        begin(token);
        m_pending = true;
        m_before = Kind::Break;
    }
    [[nodiscard]] TokenGroups take(std::size_t tokens) {
        TokenGroups groups;
        groups.starts = std::move(m_starts);
        if (tokens > 0 && (groups.starts.empty() || groups.starts.front() != 0))
            groups.starts.insert(groups.starts.begin(), 0);
        groups.starts.push_back(static_cast<std::uint32_t>(tokens));
        return groups;
    }

private:
    void begin(std::size_t token) {
        if (m_starts.empty() || m_starts.back() < token)
            m_starts.push_back(static_cast<std::uint32_t>(token));
    }
    void word(Kind kind, std::size_t token) {
        const bool blank = kind == Kind::Space;
        const bool wasBlank = m_before == Kind::Space;
        // Spaces belong to the word that follows; the first of them begins it.
        if (m_pending || (blank && !wasBlank) || (kind == Kind::Break) ||
            (!blank && !wasBlank && kind != m_before))
            begin(token);
        m_pending = false;
    }
    void sentence(char32_t c, Kind kind, std::size_t token) {
        const bool blank = kind == Kind::Space || kind == Kind::Break;
        if (m_ended && (blank || m_wide))
            m_pending = true;
        if (m_pending && !(kind == Kind::Break)) {
            begin(token);
            m_pending = false;
        }
        if (kind == Kind::Break)
            m_pending = true; // line breaks close the sentence before them
        // Quotes and brackets after the mark belong to its sentence.
        const bool closes =
            c == '"' || c == '\'' || c == ')' || c == ']' || c == 0x201D || c == 0x2019 || c == 0x300D;
        if (endsSentence(c)) {
            m_ended = true;
            m_wide = isWide(c);
        } else if (!closes) {
            m_ended = false;
        }
    }

    bool m_sentences;
    bool m_pending = true; ///< the next character begins a group
    bool m_ended = false, m_wide = false;
    Kind m_before = Kind::Break;
    std::vector<std::uint32_t> m_starts;
};

} // namespace

std::string_view textUnitName(TextUnit unit) {
    static constexpr std::array<std::string_view, 3> kNames{"token", "word", "sentence"};
    return kNames[static_cast<std::size_t>(unit)];
}

std::size_t TokenGroups::of(std::size_t token) const {
    const auto after = std::upper_bound(starts.begin(), starts.end(), static_cast<std::uint32_t>(token));
    return static_cast<std::size_t>(after - starts.begin()) - 1;
}

TokenGroups groupTokens(const Tokens& tokens, TextUnit unit) {
    TokenGroups groups;
    const std::size_t count = tokens.size();
    if (unit == TextUnit::Token) {
        groups.starts.resize(count + 1);
        for (std::size_t i = 0; i <= count; ++i)
            groups.starts[i] = static_cast<std::uint32_t>(i);
        return groups;
    }
    // A character may be spread over several tokens: decode the joined bytes.
    std::string bytes;
    std::vector<std::size_t> begins;
    for (const std::string& piece : tokens.pieces) {
        begins.push_back(bytes.size());
        bytes += piece;
    }
    Grouper grouper(unit == TextUnit::Sentence);
    std::size_t token = 0;
    const auto isAdded = [&](std::size_t t) { // in no place of the text
        return tokens.spans[t].begin == tokens.spans[t].end;
    };
    for (std::size_t at = 0; at < bytes.size();) {
        while (token + 1 < count && begins[token + 1] <= at)
            ++token;
        if (isAdded(token)) {
            grouper.added(token);
            at = token + 1 < count ? begins[token + 1] : bytes.size();
            continue;
        }
        const CodePoint c = decodeUtf8(bytes, at);
        grouper.take(c.value, token);
        at += c.length;
    }
    return grouper.take(count);
}

Tokens mergedTokens(const Tokens& tokens, const TokenGroups& groups) {
    Tokens merged;
    for (std::size_t g = 0; g < groups.size(); ++g) {
        const std::size_t first = groups.first(g), last = groups.last(g);
        std::string piece;
        for (std::size_t t = first; t < last; ++t)
            piece += tokens.pieces[t];
        merged.ids.push_back(tokens.ids[first]);
        merged.spans.push_back({tokens.spans[first].begin, tokens.spans[last - 1].end});
        merged.pieces.push_back(std::move(piece));
    }
    return merged;
}

} // namespace fovea
