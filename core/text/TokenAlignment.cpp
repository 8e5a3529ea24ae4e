#include "core/text/TokenAlignment.h"
#include "core/text/TokenGroups.h"
#include <algorithm>
#include <unordered_map>

namespace fovea {

namespace {

constexpr std::size_t kMostCells = std::size_t{1} << 20;
constexpr int kMostSteps = 16;

bool isAddedToken(const Span& span) {
    return span.begin == span.end;
}

std::string_view bytesOf(std::string_view text, Span span) {
    return span.begin <= span.end && span.end <= text.size() ? text.substr(span.begin, span.end - span.begin)
                                                             : std::string_view();
}

bool sameTokenBytes(const Tokens& a, std::string_view textA, const Tokens& b, std::string_view textB) {
    if (a.size() != b.size())
        return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (isAddedToken(a.spans[i]) != isAddedToken(b.spans[i]) ||
            bytesOf(textA, a.spans[i]) != bytesOf(textB, b.spans[i]))
            return false;
    return true;
}

/// A word without the blanks around it; blanks alone stay.
std::string_view bare(std::string_view word) {
    constexpr std::string_view kBlank = " \t";
    const std::size_t first = word.find_first_not_of(kBlank);
    if (first == std::string_view::npos)
        return word;
    return word.substr(first, word.find_last_not_of(kBlank) - first + 1);
}

/// Tokens in words, each with its bytes.
struct Words {
    TokenGroups groups;
    std::vector<Span> spans;
    std::vector<std::uint32_t> ids; ///< equal for equal words; of two texts from one table

    Words(const Tokens& tokens, std::string_view text,
          std::unordered_map<std::string_view, std::uint32_t>& table)
        : groups(groupTokens(tokens, TextUnit::Word)) {
        for (std::size_t w = 0; w < groups.size(); ++w) {
            const Span span{tokens.spans[groups.first(w)].begin, tokens.spans[groups.last(w) - 1].end};
            spans.push_back(span);
            ids.push_back(table
                              .emplace(isAddedToken(span) ? std::string_view() : bare(bytesOf(text, span)),
                                       static_cast<std::uint32_t>(table.size()))
                              .first->second);
        }
    }
    [[nodiscard]] RowRange tokensOf(std::size_t first, std::size_t last) const {
        return {groups.first(first), groups.last(last - 1)};
    }
};

/// One text, two tokenizers: words up to the next byte where words of both sides end.
std::vector<AlignedPart> partsOfOneText(const Words& a, const Words& b) {
    std::vector<AlignedPart> parts;
    std::size_t i = 0, j = 0;
    while (i < a.spans.size() && j < b.spans.size()) {
        if (isAddedToken(a.spans[i]) != isAddedToken(b.spans[j])) { // BOS of one side only
            ++(isAddedToken(a.spans[i]) ? i : j);
            continue;
        }
        std::size_t lastA = i + 1, lastB = j + 1;
        while (a.spans[lastA - 1].end != b.spans[lastB - 1].end) {
            std::size_t& behind = a.spans[lastA - 1].end < b.spans[lastB - 1].end ? lastA : lastB;
            if (behind == (&behind == &lastA ? a.spans.size() : b.spans.size()))
                return parts; // one side is cut off inside the other's word
            ++behind;
        }
        parts.push_back({a.tokensOf(i, lastA), b.tokensOf(j, lastB)});
        i = lastA;
        j = lastB;
    }
    return parts;
}

/// Two texts: pairs of equal words in order.
class WordDiff {
public:
    WordDiff(const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b) : m_a(a), m_b(b) {}

    [[nodiscard]] std::vector<std::pair<std::size_t, std::size_t>> run() {
        between({0, m_a.size()}, {0, m_b.size()}, 0);
        std::sort(m_pairs.begin(), m_pairs.end());
        return std::move(m_pairs);
    }

private:
    void between(RowRange a, RowRange b, int step) {
        while (a.first < a.last && b.first < b.last && m_a[a.first] == m_b[b.first])
            m_pairs.emplace_back(a.first++, b.first++);
        while (a.first < a.last && b.first < b.last && m_a[a.last - 1] == m_b[b.last - 1])
            m_pairs.emplace_back(--a.last, --b.last);
        if (a.first == a.last || b.first == b.last)
            return;
        if ((a.last - a.first + 1) <= kMostCells / (b.last - b.first + 1))
            return longest(a, b);
        if (step == kMostSteps)
            return;
        const auto anchors = anchorsOf(a, b);
        if (anchors.empty())
            return;
        for (const auto& [x, y] : anchors) {
            between({a.first, x}, {b.first, y}, step + 1);
            m_pairs.emplace_back(x, y);
            a.first = x + 1;
            b.first = y + 1;
        }
        between(a, b, step + 1);
    }

    /// Longest common subsequence by its table.
    void longest(RowRange a, RowRange b) {
        const std::size_t rows = a.last - a.first, columns = b.last - b.first;
        std::vector<std::uint32_t> length((rows + 1) * (columns + 1), 0);
        const auto at = [&](std::size_t r, std::size_t c) -> std::uint32_t& {
            return length[r * (columns + 1) + c];
        };
        for (std::size_t r = rows; r-- > 0;)
            for (std::size_t c = columns; c-- > 0;)
                at(r, c) = m_a[a.first + r] == m_b[b.first + c] ? at(r + 1, c + 1) + 1
                                                                : std::max(at(r + 1, c), at(r, c + 1));
        for (std::size_t r = 0, c = 0; r < rows && c < columns;) {
            if (m_a[a.first + r] == m_b[b.first + c])
                m_pairs.emplace_back(a.first + r++, b.first + c++);
            else
                ++(at(r + 1, c) >= at(r, c + 1) ? r : c);
        }
    }

    /// Words that occur once in both ranges, the longest sequence of them that is in order in both.
    [[nodiscard]] std::vector<std::pair<std::size_t, std::size_t>> anchorsOf(RowRange a, RowRange b) const {
        struct Seen {
            std::size_t inA = 0, inB = 0, atB = 0;
        };
        std::unordered_map<std::uint32_t, Seen> seen;
        for (std::size_t i = a.first; i < a.last; ++i)
            ++seen[m_a[i]].inA;
        for (std::size_t j = b.first; j < b.last; ++j)
            if (const auto word = seen.find(m_b[j]); word != seen.end()) {
                ++word->second.inB;
                word->second.atB = j;
            }
        std::vector<std::pair<std::size_t, std::size_t>> once;
        for (std::size_t i = a.first; i < a.last; ++i)
            if (const Seen& word = seen[m_a[i]]; word.inA == 1 && word.inB == 1)
                once.emplace_back(i, word.atB);
        // Longest ascending subsequence of the places in B.
        std::vector<std::size_t> ends, before(once.size(), once.size());
        for (std::size_t i = 0; i < once.size(); ++i) {
            const auto end =
                std::lower_bound(ends.begin(), ends.end(), once[i].second,
                                 [&](std::size_t e, std::size_t at) { return once[e].second < at; });
            if (end != ends.begin())
                before[i] = *(end - 1);
            if (end == ends.end())
                ends.push_back(i);
            else
                *end = i;
        }
        std::vector<std::pair<std::size_t, std::size_t>> anchors;
        for (std::size_t i = ends.empty() ? once.size() : ends.back(); i < once.size(); i = before[i])
            anchors.push_back(once[i]);
        std::reverse(anchors.begin(), anchors.end());
        return anchors;
    }

    const std::vector<std::uint32_t>&m_a, &m_b;
    std::vector<std::pair<std::size_t, std::size_t>> m_pairs;
};

std::optional<RowRange> partnerOf(const std::vector<AlignedPart>& parts, std::size_t token,
                                  RowRange AlignedPart::*own, RowRange AlignedPart::*other) {
    const auto part =
        std::upper_bound(parts.begin(), parts.end(), token,
                         [own](std::size_t t, const AlignedPart& p) { return t < (p.*own).last; });
    if (part == parts.end() || token < ((*part).*own).first)
        return {};
    return (*part).*other;
}

std::size_t tokensIn(const std::vector<AlignedPart>& parts, RowRange AlignedPart::*side) {
    std::size_t sum = 0;
    for (const AlignedPart& part : parts)
        sum += (part.*side).last - (part.*side).first;
    return sum;
}

} // namespace

std::string_view alignedByName(AlignedBy by) {
    return by == AlignedBy::Tokens ? "tokens" : "words";
}

std::optional<RowRange> TokenAlignment::toB(std::size_t tokenOfA) const {
    return partnerOf(parts, tokenOfA, &AlignedPart::a, &AlignedPart::b);
}

std::optional<RowRange> TokenAlignment::toA(std::size_t tokenOfB) const {
    return partnerOf(parts, tokenOfB, &AlignedPart::b, &AlignedPart::a);
}

std::size_t TokenAlignment::alignedA() const {
    return tokensIn(parts, &AlignedPart::a);
}

std::size_t TokenAlignment::alignedB() const {
    return tokensIn(parts, &AlignedPart::b);
}

TokenAlignment alignTokens(const Tokens& a, std::string_view textA, const Tokens& b, std::string_view textB) {
    TokenAlignment result;
    result.countA = a.size();
    result.countB = b.size();
    if (sameTokenBytes(a, textA, b, textB)) {
        result.by = AlignedBy::Tokens;
        for (std::size_t i = 0; i < a.size(); ++i)
            result.parts.push_back({{i, i + 1}, {i, i + 1}});
        return result;
    }
    std::unordered_map<std::string_view, std::uint32_t> table;
    const Words wordsA(a, textA, table), wordsB(b, textB, table);
    if (textA == textB) {
        result.parts = partsOfOneText(wordsA, wordsB);
        return result;
    }
    for (const auto& [x, y] : WordDiff(wordsA.ids, wordsB.ids).run())
        result.parts.push_back({wordsA.tokensOf(x, x + 1), wordsB.tokensOf(y, y + 1)});
    return result;
}

} // namespace fovea
