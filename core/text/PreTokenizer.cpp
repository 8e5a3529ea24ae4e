// The pattern of GPT-2 (Radford et al., 2019; encoder.py of its release) and, for SmolLM, the rule of its
// tokenizer.json: every digit by itself first. With PCRE2 10.42 two changes are needed to agree with the
// reference tokenizers: `\s` is written out, because that of PCRE2 includes U+180E, and letters and numbers
// of Unicode 15.0 to 17.0, which PCRE2 (Unicode 14.0) does not know, are added to \p{L} and \p{N}.
// tests/golden/make_tokens.py checks every code point's class.
#include "core/text/PreTokenizer.h"
#include "core/text/Display.h"
#include <algorithm>
#include <string>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace fovea {

namespace {

constexpr std::string_view kSpace = R"(\p{Z}\x{9}-\x{D}\x{85})";
constexpr std::string_view kLetter =
    R"(A-Za-z\p{L})"
    R"(\x{1C89}-\x{1C8A}\x{A7CB}-\x{A7CD}\x{A7DA}-\x{A7DC}\x{105C0}-\x{105F3}\x{10D4A}-\x{10D65})"
    R"(\x{10D6F}-\x{10D85}\x{10EC2}-\x{10EC4}\x{1123F}-\x{11240}\x{11380}-\x{11389}\x{1138B})"
    R"(\x{1138E}\x{11390}-\x{113B5}\x{113B7}\x{113D1}\x{113D3}\x{11BC0}-\x{11BE0}\x{11F02})"
    R"(\x{11F04}-\x{11F10}\x{11F12}-\x{11F33}\x{1342F}\x{13441}-\x{13446}\x{13460}-\x{143FA})"
    R"(\x{16100}-\x{1611D}\x{16D40}-\x{16D6C}\x{18CFF}\x{1B132}\x{1B155}\x{1DF25}-\x{1DF2A})"
    R"(\x{1E030}-\x{1E06D}\x{1E4D0}-\x{1E4EB}\x{1E5D0}-\x{1E5ED}\x{1E5F0}\x{2B739})"
    R"(\x{2EBF0}-\x{2EE5D}\x{31350}-\x{323AF})";
constexpr std::string_view kNumber =
    R"(0-9\p{N})"
    R"(\x{10D40}-\x{10D49}\x{116D0}-\x{116E3}\x{11BF0}-\x{11BF9}\x{11DE0}-\x{11DE9})"
    R"(\x{11F50}-\x{11F59}\x{16130}-\x{16139}\x{16D70}-\x{16D79}\x{16FF4}-\x{16FF6})"
    R"(\x{1CCF0}-\x{1CCF9}\x{1D2C0}-\x{1D2D3}\x{1E4F0}-\x{1E4F9}\x{1E5F1}-\x{1E5FA})";

std::string gpt2Pattern() {
    const std::string s(kSpace), l(kLetter), n(kNumber);
    return "'s|'t|'re|'ve|'m|'ll|'d| ?[" + l + "]+| ?[" + n + "]+| ?[^" + s + l + n + "]+|[" + s + "]+(?![^" +
           s + "])|[" + s + "]+";
}
std::string singleNumberPattern() {
    return "[" + std::string(kNumber) + "]";
}

struct FreeCode {
    void operator()(pcre2_code* p) const { pcre2_code_free(p); }
};
struct FreeMatch {
    void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
};
struct FreeContext {
    void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
};

/// A compiled pattern with the working memory to match it.
class Matcher {
public:
    explicit Matcher(const pcre2_code* code)
        : m_code(code), m_match(pcre2_match_data_create_from_pattern(code, nullptr)),
          m_context(pcre2_match_context_create(nullptr)) {
        if (!ready())
            return;
        pcre2_set_match_limit(m_context.get(), 10'000'000);
        pcre2_set_heap_limit(m_context.get(), 64 * 1024); // KiB
    }
    [[nodiscard]] bool ready() const { return m_match && m_context; }
    /// [begin, end) of the first match at or after `from`; begin == npos: none. `text` is UTF-8 already.
    struct Found {
        std::size_t begin = std::string_view::npos, end = 0;
    };
    [[nodiscard]] Result<Found> find(std::string_view text, std::size_t from) const {
        const int code = pcre2_match(m_code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                                     PCRE2_NO_UTF_CHECK, m_match.get(), m_context.get());
        if (code == PCRE2_ERROR_NOMATCH)
            return Found{};
        if (code == PCRE2_ERROR_NOMEMORY)
            return fail(ErrorCode::OutOfMemory, "The text could not be cut into words: out of memory.");
        if (code < 0)
            return fail(ErrorCode::TooLarge,
                        "The text cannot be cut into words: the pattern engine stops at byte " +
                            std::to_string(from) + " with error " + std::to_string(code) + ".");
        const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(m_match.get());
        return Found{ends[0], ends[1]};
    }

private:
    const pcre2_code* m_code;
    std::unique_ptr<pcre2_match_data, FreeMatch> m_match;
    std::unique_ptr<pcre2_match_context, FreeContext> m_context;
};

Error withOffset(Error error, std::size_t offset) {
    if (offset > 0)
        error.message += " Counted from byte " + std::to_string(offset) + ".";
    return error;
}

} // namespace

struct PreTokenizer::Patterns {
    std::unique_ptr<pcre2_code, FreeCode> words;
    std::unique_ptr<pcre2_code, FreeCode> alone; ///< null: nothing is taken out first
};

PreTokenizer::PreTokenizer(std::unique_ptr<const Patterns> patterns) : m_patterns(std::move(patterns)) {}
PreTokenizer::PreTokenizer(PreTokenizer&&) noexcept = default;
PreTokenizer& PreTokenizer::operator=(PreTokenizer&&) noexcept = default;
PreTokenizer::~PreTokenizer() = default;

Result<PreTokenizer> PreTokenizer::named(std::string_view name) {
    const bool smollm = name == "smollm";
    if (!smollm && name != "gpt-2" && name != "gpt2")
        return fail(ErrorCode::Unsupported, std::string("tokenizer.ggml.pre is \"")
                                                .append(displayText(name, 80))
                                                .append("\"; accepted: smollm, gpt-2."));
    const auto compile = [](const std::string& pattern) {
        int error = 0;
        PCRE2_SIZE where = 0;
        return std::unique_ptr<pcre2_code, FreeCode>(
            pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF | PCRE2_UCP,
                          &error, &where, nullptr));
    };
    auto patterns = std::make_unique<Patterns>();
    patterns->words = compile(gpt2Pattern());
    if (smollm)
        patterns->alone = compile(singleNumberPattern());
    if (!patterns->words || (smollm && !patterns->alone))
        return fail(ErrorCode::OutOfMemory,
                    "The word pattern of the tokenizer could not be compiled: out of memory.");
    return PreTokenizer(std::move(patterns));
}

Result<std::vector<std::size_t>> PreTokenizer::pieceEnds(std::string_view text) const {
    std::vector<std::size_t> ends;
    const Matcher words(m_patterns->words.get());
    if (!words.ready())
        return fail(ErrorCode::OutOfMemory, "The text could not be cut into words: out of memory.");
    // The part is matched as a text of its own, so that a negative lookahead treats its end as the end of the
    // text.
    const auto cutPart = [&](std::size_t begin, std::size_t end) -> Result<> {
        const std::string_view part = text.substr(begin, end - begin);
        for (std::size_t at = 0; at < part.size();) {
            const auto found = words.find(part, at);
            if (!found)
                return tl::make_unexpected(withOffset(found.error(), begin));
            if (found->begin == std::string_view::npos) {
                ends.push_back(end);
                return {};
            }
            if (found->begin > at) // a gap between matches is a piece
                ends.push_back(begin + found->begin);
            ends.push_back(begin + found->end);
            at = found->end;
        }
        return {};
    };
    if (!m_patterns->alone) {
        FOVEA_TRY(cutPart(0, text.size()));
        return ends;
    }
    const Matcher alone(m_patterns->alone.get());
    if (!alone.ready())
        return fail(ErrorCode::OutOfMemory, "The text could not be cut into words: out of memory.");
    for (std::size_t at = 0; at < text.size();) {
        const auto found = alone.find(text, at);
        if (!found)
            return tl::make_unexpected(found.error());
        const bool none = found->begin == std::string_view::npos;
        FOVEA_TRY(cutPart(at, none ? text.size() : found->begin));
        if (none)
            break;
        ends.push_back(found->end);
        at = found->end;
    }
    return ends;
}

} // namespace fovea
