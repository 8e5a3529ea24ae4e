// Decomposition, ordering and composition: Unicode Standard 14.0, section 3.11, and Annex 15.
#include "core/text/Unicode.h"
#include "core/text/Utf8.h"
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <unordered_map>
#include <unordered_set>

namespace fovea {

namespace {

struct Decomposition {
    char32_t from, first, second; ///< second 0: a single character
    bool composes;
};
struct ClassRange {
    char32_t first, last;
    std::uint8_t order;
};
struct LowerRun {
    char32_t first, last;
    std::uint32_t distance; ///< added modulo 2^32
    std::uint32_t step;
};
struct CharacterRange {
    char32_t first, last;
};
#include "core/text/UnicodeData.inc"

constexpr char32_t kHangul = 0xAC00, kLead = 0x1100, kVowel = 0x1161, kTail = 0x11A7;
constexpr char32_t kLeads = 19, kVowels = 21, kTails = 28, kSyllables = kLeads * kVowels * kTails;

/// The row whose [first, last] has `c`, or null.
template <class Row, std::size_t N>
const Row* rowOf(const Row (&rows)[N], char32_t c) {
    const auto after = std::upper_bound(std::begin(rows), std::end(rows), c,
                                        [](char32_t value, const Row& row) { return value < row.first; });
    return after != std::begin(rows) && c <= std::prev(after)->last ? std::prev(after) : nullptr;
}

std::uint8_t combiningClass(char32_t c) {
    if (c < 0x300)
        return 0;
    const ClassRange* row = rowOf(kClasses, c);
    return row ? row->order : std::uint8_t{0};
}

/// The character that the pair composes to, or 0.
char32_t compositionOf(char32_t a, char32_t b) {
    if (a >= kLead && a < kLead + kLeads && b >= kVowel && b < kVowel + kVowels)
        return kHangul + ((a - kLead) * kVowels + (b - kVowel)) * kTails;
    if (a >= kHangul && a < kHangul + kSyllables && (a - kHangul) % kTails == 0 && b > kTail &&
        b < kTail + kTails)
        return a + (b - kTail);
    static const auto pairs = [] {
        std::unordered_map<std::uint64_t, char32_t> all;
        for (const Decomposition& d : kDecompositions)
            if (d.composes)
                all.emplace(std::uint64_t{d.first} << 32 | d.second, d.from);
        return all;
    }();
    const auto found = pairs.find(std::uint64_t{a} << 32 | b);
    return found == pairs.end() ? char32_t{0} : found->second;
}

/// Whether `c` may change or be joined with what stands before it, so that a sequence goes on.
bool continues(char32_t c) {
    if (c < 0x300)
        return false;
    static const auto seconds = [] {
        std::unordered_set<char32_t> all;
        for (const Decomposition& d : kDecompositions)
            if (d.composes)
                all.insert(d.second);
        return all;
    }();
    if (c >= kVowel && c < kTail + kTails)
        return true;
    std::u32string parts;
    appendDecomposition(c, parts);
    return combiningClass(parts.front()) != 0 || seconds.contains(parts.front());
}

/// Composes a decomposed and ordered sequence in place.
void compose(std::u32string& text) {
    std::size_t starter = text.size(), out = 0;
    int last = -1; // class of the character before, since the starter; -1: none stands between
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char32_t c = text[at];
        const int order = combiningClass(c);
        if (starter < out && (last < order || last == -1)) {
            if (const char32_t joined = compositionOf(text[starter], c)) {
                text[starter] = joined;
                continue;
            }
        }
        if (order == 0) {
            starter = out;
            last = -1;
        } else {
            last = order;
        }
        text[out++] = c;
    }
    text.resize(out);
}

} // namespace

bool isNonspacingMark(char32_t c) {
    return c >= 0x300 && rowOf(kNonspacing, c);
}
bool isPunctuation(char32_t c) {
    return rowOf(kPunctuation, c) != nullptr;
}
bool isOther(char32_t c) {
    return rowOf(kOther, c) != nullptr;
}
bool isWhiteSpace(char32_t c) {
    return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
           c == 0x3000;
}

char32_t lowerCase(char32_t c) {
    const LowerRun* run = rowOf(kLower, c);
    if (!run || (c - run->first) % run->step != 0)
        return c;
    return static_cast<char32_t>(static_cast<std::uint32_t>(c) + run->distance);
}

void appendDecomposition(char32_t c, std::u32string& out) {
    if (c < 0xC0) {
        out.push_back(c);
        return;
    }
    if (c >= kHangul && c < kHangul + kSyllables) {
        const char32_t index = c - kHangul;
        out.push_back(kLead + index / (kVowels * kTails));
        out.push_back(kVowel + index / kTails % kVowels);
        if (index % kTails != 0)
            out.push_back(kTail + index % kTails);
        return;
    }
    const auto row = std::lower_bound(std::begin(kDecompositions), std::end(kDecompositions), c,
                                      [](const Decomposition& d, char32_t value) { return d.from < value; });
    if (row == std::end(kDecompositions) || row->from != c) {
        out.push_back(c);
        return;
    }
    appendDecomposition(row->first, out); // the table is a step each; no chain is longer than four
    if (row->second != 0)
        appendDecomposition(row->second, out);
}

void orderMarks(std::vector<PlacedCharacter>& text) {
    for (std::size_t at = 0; at < text.size();) {
        if (combiningClass(text[at].value) == 0) {
            ++at;
            continue;
        }
        std::size_t end = at + 1;
        while (end < text.size() && combiningClass(text[end].value) != 0)
            ++end;
        const auto from = text.begin() + static_cast<std::ptrdiff_t>(at);
        const auto to = text.begin() + static_cast<std::ptrdiff_t>(end);
        std::vector<std::size_t> places;
        for (auto it = from; it != to; ++it)
            places.push_back(it->begin);
        std::stable_sort(from, to, [](const PlacedCharacter& a, const PlacedCharacter& b) {
            return combiningClass(a.value) < combiningClass(b.value);
        });
        for (std::size_t n = 0; n < places.size(); ++n) // offsets keep ascending
            text[at + n].begin = places[n];
        at = end;
    }
}

ComposedText::ComposedText(std::string_view text) : m_original(text) {
    // A sequence begins at a character of class 0 that joins nothing before it; each is rewritten by itself.
    std::u32string sequence;
    std::vector<PlacedCharacter> placed;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t begin = at;
        CodePoint c = decodeUtf8(text, at);
        at += c.length;
        if (c.value < 0x80 && (at == text.size() || static_cast<unsigned char>(text[at]) < 0x80)) {
            m_composed.append(text.substr(begin, at - begin));
            continue;
        }
        placed.clear();
        const auto take = [&](char32_t value) {
            sequence.clear();
            appendDecomposition(value, sequence);
            for (const char32_t part : sequence)
                placed.push_back({part, begin});
        };
        take(c.value);
        while (at < text.size()) {
            c = decodeUtf8(text, at);
            if (!continues(c.value))
                break;
            take(c.value);
            at += c.length;
        }
        orderMarks(placed);
        sequence.clear();
        for (const PlacedCharacter& p : placed)
            sequence.push_back(p.value);
        compose(sequence);
        const std::size_t from = m_composed.size();
        for (const char32_t value : sequence)
            appendUtf8(m_composed, value);
        if (std::string_view(m_composed).substr(from) != text.substr(begin, at - begin)) {
            m_changed = true;
            m_rewritten.push_back({from, m_composed.size(), begin, at});
        }
    }
}

std::size_t ComposedText::original(std::size_t offset) const {
    const auto after =
        std::upper_bound(m_rewritten.begin(), m_rewritten.end(), offset,
                         [](std::size_t value, const Rewritten& r) { return value < r.begin; });
    if (after == m_rewritten.begin())
        return offset;
    const Rewritten& before = *std::prev(after);
    return offset < before.end ? before.originalBegin : before.originalEnd + (offset - before.end);
}

} // namespace fovea
