// The patterns are in PreTokenizerTable.cpp; here they are matched, stage by stage.
#include "core/text/PreTokenizer.h"
#include "core/text/Display.h"
#include "core/text/PreTokenizerTable.h"
#include <algorithm>
#include <string>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace fovea {

namespace {

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
    std::vector<std::unique_ptr<pcre2_code, FreeCode>> stages;
};

PreTokenizer::PreTokenizer(std::unique_ptr<const Patterns> patterns) : m_patterns(std::move(patterns)) {}
PreTokenizer::PreTokenizer(PreTokenizer&&) noexcept = default;
PreTokenizer& PreTokenizer::operator=(PreTokenizer&&) noexcept = default;
PreTokenizer::~PreTokenizer() = default;

Result<PreTokenizer> PreTokenizer::named(std::string_view name) {
    const PreTokenizerSpec* spec = findPreTokenizer(name);
    if (!spec) {
        std::string known;
        for (const PreTokenizerSpec& row : preTokenizerSpecs())
            for (const std::string_view one : row.names)
                known.append(known.empty() ? "" : ", ").append(one);
        return fail(ErrorCode::Unsupported, std::string("tokenizer.ggml.pre is \"")
                                                .append(displayText(name, 80))
                                                .append("\"; accepted: ")
                                                .append(known)
                                                .append("."));
    }
    auto patterns = std::make_unique<Patterns>();
    for (const std::string_view stage : spec->stages) {
        const std::string pattern = pcrePattern(stage);
        int error = 0;
        PCRE2_SIZE where = 0;
        patterns->stages.emplace_back(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()),
                                                    pattern.size(), PCRE2_UTF | PCRE2_UCP, &error, &where,
                                                    nullptr));
        if (!patterns->stages.back())
            return fail(ErrorCode::OutOfMemory,
                        "The word pattern of the tokenizer could not be compiled: out of memory.");
    }
    return PreTokenizer(std::move(patterns));
}

Result<std::vector<std::size_t>> PreTokenizer::pieceEnds(std::string_view text) const {
    std::vector<std::size_t> ends, cut;
    if (!text.empty())
        ends.push_back(text.size());
    for (const auto& stage : m_patterns->stages) {
        const Matcher matcher(stage.get());
        if (!matcher.ready())
            return fail(ErrorCode::OutOfMemory, "The text could not be cut into words: out of memory.");
        cut.clear();
        std::size_t begin = 0;
        for (const std::size_t end : ends) {
            // Each piece is matched as a text of its own, so that a negative lookahead treats its end as the
            // end of the text.
            const std::string_view part = text.substr(begin, end - begin);
            for (std::size_t at = 0; at < part.size();) {
                const auto found = matcher.find(part, at);
                if (!found)
                    return tl::make_unexpected(withOffset(found.error(), begin));
                if (found->begin == std::string_view::npos) {
                    cut.push_back(end);
                    break;
                }
                if (found->begin > at) // a gap between matches is a piece
                    cut.push_back(begin + found->begin);
                cut.push_back(begin + found->end);
                at = found->end;
            }
            begin = end;
        }
        ends.swap(cut);
    }
    return ends;
}

} // namespace fovea
