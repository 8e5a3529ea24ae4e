#include "core/text/TokenSearch.h"
#include "core/text/Display.h"
#include "core/text/PatternMatcher.h"
#include "core/text/Utf8.h"
#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

namespace fovea {

namespace {

std::optional<std::uint64_t> wholeNumber(std::string_view digits) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || digits.empty())
        return {};
    return value;
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Turns ranges of bytes into ranges of tokens. The ranges come in the order of the text.
class Matches {
public:
    explicit Matches(const Tokens& tokens) : m_tokens(tokens) {}
    void add(std::size_t begin, std::size_t end) {
        while (m_at < m_tokens.size() && m_tokens.spans[m_at].end <= begin)
            ++m_at;
        std::size_t last = m_at;
        while (last < m_tokens.size() && m_tokens.spans[last].begin < end)
            ++last;
        // A token that ends one match and begins the next belongs to the first.
        const std::size_t first = m_found.empty() ? m_at : std::max<std::size_t>(m_at, m_found.back().last);
        if (last > first)
            m_found.push_back({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last)});
    }
    [[nodiscard]] std::vector<TokenMatch> take() { return std::move(m_found); }

private:
    const Tokens& m_tokens;
    std::size_t m_at = 0;
    std::vector<TokenMatch> m_found;
};

Result<std::vector<TokenMatch>> byPosition(const Tokens& tokens, std::string_view first,
                                           std::string_view last) {
    const auto from = wholeNumber(first), to = wholeNumber(last);
    if (!from || !to || *to < *from || *to >= tokens.size())
        return fail(ErrorCode::BadValue,
                    "no token #" + displayText(first, 40) +
                        (first == last ? "" : "-" + displayText(last, 40)) +
                        (tokens.size() == 0 ? "; the text has no tokens"
                                            : "; the text has #0 to #" + std::to_string(tokens.size() - 1)));
    return std::vector<TokenMatch>{{static_cast<std::uint32_t>(*from), static_cast<std::uint32_t>(*to + 1)}};
}

Result<std::vector<TokenMatch>> byId(const Tokens& tokens, std::string_view digits) {
    const auto id = wholeNumber(digits);
    if (!id)
        return fail(ErrorCode::BadValue,
                    "\"" + displayText(digits, 40) + "\" is no token id; a whole number is accepted");
    std::vector<TokenMatch> found;
    for (std::uint32_t i = 0; i < tokens.size(); ++i)
        if (tokens.ids[i] >= 0 && static_cast<std::uint64_t>(tokens.ids[i]) == *id)
            found.push_back({i, i + 1});
    return found;
}

Result<std::vector<TokenMatch>> byExpression(const Tokens& tokens, std::string_view text,
                                             std::string_view expression, const WorkContext& work) {
    const CompiledPattern compiled = compilePattern(expression, PCRE2_CASELESS);
    if (!compiled.pattern)
        return fail(ErrorCode::BadValue, "the expression \"" + displayText(expression, 80) +
                                             "\" fails at character " + std::to_string(compiled.at) + ": " +
                                             patternError(compiled.error));
    const PatternMatcher matcher(compiled.pattern.get());
    if (!matcher.ready())
        throw std::bad_alloc();
    const RepairedText repaired(text);
    const std::string_view readable = repaired.text();
    Matches found(tokens);
    for (std::size_t from = 0; from <= readable.size();) {
        FOVEA_TRY(work.checkpoint());
        const PatternMatcher::Found match = matcher.find(readable, from);
        if (match.error < 0)
            return fail(ErrorCode::BadValue, "the expression \"" + displayText(expression, 80) +
                                                 "\" was given up: " + patternError(match.error));
        if (match.begin == std::string_view::npos)
            break;
        if (match.end > match.begin) {
            found.add(repaired.original(match.begin), repaired.original(match.end));
            from = match.end;
        } else { // an empty match: go on behind the next character
            from = match.end < readable.size() ? match.end + decodeUtf8(readable, match.end).length
                                               : readable.size() + 1;
        }
    }
    return found.take();
}

std::vector<TokenMatch> byBytes(const Tokens& tokens, std::string_view text, std::string_view wanted) {
    Matches found(tokens);
    auto from = text.begin();
    const auto same = [](char a, char b) { return lower(a) == lower(b); };
    while (true) {
        const auto at = std::search(from, text.end(), wanted.begin(), wanted.end(), same);
        if (at == text.end())
            return found.take();
        const auto begin = static_cast<std::size_t>(at - text.begin());
        found.add(begin, begin + wanted.size());
        from = at + static_cast<std::ptrdiff_t>(wanted.size());
    }
}

} // namespace

Result<std::vector<TokenMatch>> findTokens(const Tokens& tokens, std::string_view text,
                                           std::string_view pattern, const WorkContext& work) {
    if (pattern.empty())
        return fail(ErrorCode::BadValue,
                    "nothing to look for; a word, #412, id:284 or re:EXPRESSION is accepted");
    if (pattern.front() == '#') {
        const std::string_view range = pattern.substr(1);
        const std::size_t dash = range.find('-');
        return dash == std::string_view::npos
                   ? byPosition(tokens, range, range)
                   : byPosition(tokens, range.substr(0, dash), range.substr(dash + 1));
    }
    if (pattern.substr(0, 3) == "id:")
        return byId(tokens, pattern.substr(3));
    if (pattern.substr(0, 3) == "re:")
        return byExpression(tokens, text, pattern.substr(3), work);
    return byBytes(tokens, text, pattern);
}

} // namespace fovea
