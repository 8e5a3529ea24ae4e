#include "core/lesson/LessonText.h"
#include "core/files/Quote.h"
#include "core/lesson/Refusal.h"
#include <cctype>
#include <charconv>

namespace fovea::lesson {

namespace {

constexpr std::size_t kLongestTerm = 200, kLongestParagraph = 4000;
constexpr int kDeepest = 4;

bool inName(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
}

class TermReader {
public:
    explicit TermReader(std::string_view text) : m_text(text) {}

    Result<Term> whole() {
        Result<Term> term = read(0);
        FOVEA_TRY(term);
        skipSpaces();
        if (m_at < m_text.size())
            return refused();
        return term;
    }

private:
    [[nodiscard]] tl::unexpected<Error> refused() const {
        return bad("{" + quoteForMessage(m_text) + "} cannot be read at " +
                   inQuotes(m_text.substr(std::min(m_at, m_text.size()))) +
                   "; a number, a name, or a name with arguments in parentheses is accepted");
    }
    void skipSpaces() {
        while (m_at < m_text.size() && m_text[m_at] == ' ')
            ++m_at;
    }
    bool take(char c) {
        skipSpaces();
        const bool there = m_at < m_text.size() && m_text[m_at] == c;
        m_at += there ? 1 : 0;
        return there;
    }
    Result<Term> read(int depth) {
        skipSpaces();
        if (depth >= kDeepest)
            return bad("{" + quoteForMessage(m_text) + "} is nested more than " + std::to_string(kDeepest) +
                       " deep");
        const std::size_t first = m_at;
        if (first < m_text.size() && (std::isdigit(static_cast<unsigned char>(m_text[first])) != 0 ||
                                      m_text[first] == '-' || m_text[first] == '.')) {
            Term number;
            const char* const begin = m_text.data() + first;
            const auto [end, error] = std::from_chars(begin, m_text.data() + m_text.size(), number.number);
            if (error != std::errc() || !(number.number > -1e15 && number.number < 1e15))
                return refused();
            m_at += static_cast<std::size_t>(end - begin);
            return number;
        }
        if (depth > 0 && take('\''))
            return words();
        while (m_at < m_text.size() && inName(m_text[m_at]))
            ++m_at;
        if (m_at == first)
            return refused();
        Term term;
        term.kind = Term::Kind::Name;
        term.name = std::string(m_text.substr(first, m_at - first));
        if (!take('('))
            return term;
        term.kind = Term::Kind::Call;
        do {
            Result<Term> argument = read(depth + 1);
            FOVEA_TRY(argument);
            term.arguments.push_back(std::move(*argument));
        } while (take(','));
        if (!take(')'))
            return refused();
        return term;
    }
    /// Up to the apostrophe that closes them.
    Result<Term> words() {
        const std::size_t close = m_text.find('\'', m_at);
        const std::string_view found =
            close == std::string_view::npos ? std::string_view() : m_text.substr(m_at, close - m_at);
        if (found.empty() || found.find_first_of("(){}") != std::string_view::npos)
            return bad("{" + quoteForMessage(m_text) +
                       "} has words that do not end in an apostrophe, or hold a parenthesis or brace");
        m_at = close + 1;
        Term term;
        term.kind = Term::Kind::Text;
        term.name = std::string(found);
        return term;
    }
    std::string_view m_text;
    std::size_t m_at = 0;
};

/// Where the sign that closes at `open` is, or npos.
std::size_t closing(std::string_view text, std::size_t open, char close) {
    return text.find(close, open);
}

class ParagraphReader {
public:
    explicit ParagraphReader(std::string_view text) : m_text(text) {}

    Result<Paragraph> read() {
        FOVEA_TRY(readPieces(0, m_text.size(), Piece{}));
        return std::move(m_result);
    }

private:
    void addText(const Piece& style, std::string text) {
        if (text.empty())
            return;
        Piece piece = style;
        piece.text = std::move(text);
        m_result.push_back(std::move(piece));
    }
    Result<> readPieces(std::size_t at, std::size_t end, const Piece& style) {
        std::string plain;
        while (at < end) {
            const char c = m_text[at];
            const bool twice = at + 1 < end && m_text[at + 1] == c;
            if ((c == '{' || c == '[') && twice) {
                plain += c;
                at += 2;
            } else if (c == '{') {
                const std::size_t close = closing(m_text.substr(0, end), at, '}');
                if (close == std::string_view::npos)
                    return bad(inQuotes(m_text.substr(at)) + " has no closing }");
                Result<Term> term = parseTerm(m_text.substr(at + 1, close - at - 1));
                FOVEA_TRY(term);
                addText(style, std::exchange(plain, {}));
                Piece piece = style;
                piece.quantity = std::move(*term);
                m_result.push_back(std::move(piece));
                at = close + 1;
            } else if (c == '[' && style.word < 0) {
                addText(style, std::exchange(plain, {}));
                FOVEA_TRY(readWord(at, end));
            } else {
                plain += c;
                ++at;
            }
        }
        addText(style, std::move(plain));
        return {};
    }
    /// "[words](query:term)" from `at`, which is moved behind it.
    Result<> readWord(std::size_t& at, std::size_t end) {
        const std::string_view whole = m_text.substr(0, end);
        const std::size_t close = whole.find("](", at);
        const std::size_t last = close == std::string_view::npos ? close : endOfTarget(whole, close + 2);
        if (last == std::string_view::npos)
            return bad(inQuotes(m_text.substr(at)) +
                       " is no coloured word; [words](query:300) is accepted, and [[ for the bracket itself");
        const std::string_view target = m_text.substr(close + 2, last - close - 2);
        const std::size_t colon = std::min(target.find(':'), target.size());
        const std::string_view role = target.substr(0, colon);
        Piece style;
        style.mark = role == "query"  ? Mark::Query
                     : role == "key"  ? Mark::Key
                     : role == "lost" ? Mark::Lost
                                      : Mark::None;
        if (style.mark == Mark::None || colon == target.size())
            return bad(inQuotes(target) + " names no token; query:N, key:N or lost:N is accepted");
        Result<Term> token = parseTerm(target.substr(colon + 1));
        FOVEA_TRY(token);
        style.token = std::move(*token);
        style.word = m_words++;
        FOVEA_TRY(readPieces(at + 1, close, style));
        at = last + 1;
        return {};
    }
    /// The parenthesis that closes the target, which may hold others.
    static std::size_t endOfTarget(std::string_view text, std::size_t at) {
        for (int open = 1; at < text.size(); ++at) {
            open += text[at] == '(' ? 1 : text[at] == ')' ? -1 : 0;
            if (open == 0)
                return at;
        }
        return std::string_view::npos;
    }
    std::string_view m_text;
    Paragraph m_result;
    int m_words = 0;
};

} // namespace

std::string Term::written() const {
    if (kind == Kind::Number) {
        char digits[32];
        const auto [end, error] = std::to_chars(std::begin(digits), std::end(digits), number);
        return error == std::errc() ? std::string(digits, end) : std::string();
    }
    if (kind == Kind::Text)
        return "'" + name + "'";
    std::string text = name;
    for (std::size_t i = 0; i < arguments.size(); ++i)
        text += (i == 0 ? "(" : ", ") + arguments[i].written();
    return kind == Kind::Call ? text + ")" : text;
}

Result<Term> parseTerm(std::string_view text) {
    if (text.size() > kLongestTerm)
        return bad("{" + quoteForMessage(text.substr(0, 40)) + "...} is longer than " +
                   std::to_string(kLongestTerm) + " bytes");
    return TermReader(text).whole();
}

Result<Paragraph> parseParagraph(std::string_view text) {
    if (text.size() > kLongestParagraph)
        return bad("a paragraph of " + std::to_string(text.size()) + " bytes; at most " +
                   std::to_string(kLongestParagraph) + " are accepted");
    return ParagraphReader(text).read();
}

} // namespace fovea::lesson
