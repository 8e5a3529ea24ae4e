// Devlin, Chang, Lee, Toutanova, "BERT", 2018, arXiv:1810.04805: BasicTokenizer and WordpieceTokenizer of its
// release. The categories of characters are those of the reference tokenizers, whose tables are older than
// Unicode 14.0 (BertCharacters.inc).
#include "core/text/WordPiece.h"
#include "core/text/Utf8.h"
#include <algorithm>
#include <iterator>

namespace fovea {

namespace {

/// The blocks that BERT's release calls Chinese: each of their characters is a word.
bool isChinese(char32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
           (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) ||
           (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

bool isBreak(char32_t c) {
    return c == '\t' || c == '\n' || c == '\r';
}

/// Characters first..last, of which the reference tokenizers say `is` and Unicode 14.0 the opposite.
struct OtherCategory {
    char32_t first, last;
    bool is;
};
#include "core/text/BertCharacters.inc"

/// `unicode`, unless the reference knows the character otherwise.
template <std::size_t N>
bool corrected(const OtherCategory (&table)[N], char32_t c, bool unicode) {
    const auto* found =
        std::upper_bound(std::begin(table), std::end(table), c,
                         [](char32_t value, const OtherCategory& range) { return value < range.first; });
    return found != std::begin(table) && c <= (found - 1)->last ? (found - 1)->is : unicode;
}

bool standsAlone(char32_t c) {
    if (c < 0x80)
        return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
    return corrected(kPunctuation, c, isPunctuation(c));
}
bool isDropped(char32_t c) {
    return corrected(kOther, c, isOther(c));
}
bool isStripped(char32_t c) {
    return corrected(kMark, c, isNonspacingMark(c));
}

} // namespace

std::vector<PlacedCharacter> WordPiece::normalized(std::string_view text) const {
    const WordRules& rules = m_parts.rules;
    std::vector<PlacedCharacter> out;
    out.reserve(text.size());
    std::u32string parts;
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint c = decodeUtf8(text, at);
        const std::size_t begin = at;
        at += c.length;
        char32_t value = c.value;
        if (rules.clean) {
            if (value == 0 || value == kReplacement || (isDropped(value) && !isBreak(value)))
                continue;
            if (isWhiteSpace(value))
                value = ' ';
        }
        const bool alone = rules.chinese && isChinese(value);
        if (alone)
            out.push_back({' ', begin});
        if (rules.stripAccents) {
            parts.clear();
            appendDecomposition(value, parts);
            for (const char32_t part : parts)
                out.push_back({part, begin});
        } else {
            out.push_back({value, begin});
        }
        if (alone)
            out.push_back({' ', at});
    }
    if (rules.stripAccents) {
        orderMarks(out);
        std::erase_if(out, [](const PlacedCharacter& c) { return isStripped(c.value); });
    }
    if (rules.lowerCase) {
        constexpr char32_t kDottedI = 0x130; // the only character whose lower case is two
        if (std::any_of(out.begin(), out.end(),
                        [](const PlacedCharacter& c) { return c.value == kDottedI; })) {
            std::vector<PlacedCharacter> wider;
            for (const PlacedCharacter& c : out) {
                wider.push_back({c.value == kDottedI ? U'i' : c.value, c.begin});
                if (c.value == kDottedI)
                    wider.push_back({0x307, c.begin});
            }
            out = std::move(wider);
        }
        for (PlacedCharacter& c : out)
            c.value = lowerCase(c.value);
    }
    return out;
}

Result<> WordPiece::encode(const TextPart& part, PartSink& sink) const {
    const std::vector<PlacedCharacter> text = normalized(part.text);
    const auto placeOf = [&](std::size_t n) { return n < text.size() ? text[n].begin : part.text.size(); };
    std::string word;
    std::vector<std::size_t> ends; // of each character in `word`
    std::vector<std::pair<std::int32_t, std::size_t>> found;
    for (std::size_t begin = 0; begin < text.size();) {
        if (isWhiteSpace(text[begin].value)) {
            ++begin;
            continue;
        }
        std::size_t end = begin + 1;
        while (!standsAlone(text[begin].value) && end < text.size() && !isWhiteSpace(text[end].value) &&
               !standsAlone(text[end].value))
            ++end;
        if (sink.stopsAt(placeOf(end)))
            break;
        FOVEA_TRY(sink.poll(placeOf(end)));
        bool known = end - begin <= m_parts.rules.longestWord;
        found.clear();
        if (known) {
            word.clear();
            ends.clear();
            for (std::size_t n = begin; n < end; ++n) {
                appendUtf8(word, text[n].value);
                ends.push_back(word.size());
            }
        }
        for (std::size_t at = 0; known && at < ends.size();) {
            const std::size_t from = at == 0 ? 0 : ends[at - 1];
            const auto& tokens = at == 0 ? m_parts.begins : m_parts.continues;
            // One past the last character of the candidate; none is longer than the longest token.
            auto last =
                static_cast<std::size_t>(std::upper_bound(ends.begin() + static_cast<std::ptrdiff_t>(at),
                                                          ends.end(), from + m_parts.longest) -
                                         ends.begin());
            while (last > at) {
                const auto token = tokens.find(word.substr(from, ends[last - 1] - from));
                if (token != tokens.end()) {
                    found.emplace_back(token->second, begin + at);
                    break;
                }
                --last;
            }
            known = last > at;
            at = last;
        }
        if (known) {
            for (const auto& [id, at] : found)
                sink.add(id, text[at].begin);
        } else {
            if (m_parts.unknown >= 0)
                sink.add(m_parts.unknown, text[begin].begin);
            for (std::size_t b = text[begin].begin; b < placeOf(end); ++b)
                sink.countUnknown(b);
        }
        begin = end;
    }
    return {};
}

} // namespace fovea
