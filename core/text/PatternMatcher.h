#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

// PCRE2 as this folder uses it: UTF-8 with Unicode properties, and an end to every match. For the .cpp files
// of this folder only.
namespace fovea {

struct FreePattern {
    void operator()(pcre2_code* p) const { pcre2_code_free(p); }
};
using Pattern = std::unique_ptr<pcre2_code, FreePattern>;

/// The words of PCRE2 for one of its error codes.
[[nodiscard]] inline std::string patternError(int code) {
    char message[160] = "";
    pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(message), sizeof message);
    return message;
}

struct CompiledPattern {
    Pattern pattern;    ///< null: it does not compile
    int error = 0;      ///< then why, for patternError
    std::size_t at = 0; ///< and at which byte of the expression
};
/// `options` are added to PCRE2_UTF and PCRE2_UCP. An expression never ends inside a character (\C).
[[nodiscard]] inline CompiledPattern compilePattern(std::string_view expression, std::uint32_t options = 0) {
    CompiledPattern made;
    made.pattern.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                                     PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | options, &made.error,
                                     &made.at, nullptr));
    return made;
}

/// A compiled pattern with the working memory to match it. One thread at a time.
class PatternMatcher {
public:
    explicit PatternMatcher(const pcre2_code* code)
        : m_code(code), m_match(pcre2_match_data_create_from_pattern(code, nullptr)),
          m_context(pcre2_match_context_create(nullptr)) {
        if (!ready())
            return;
        pcre2_set_match_limit(m_context.get(), 10'000'000); // steps: some expressions never end
        pcre2_set_heap_limit(m_context.get(), 64 * 1024);   // KiB
    }
    /// False: out of memory.
    [[nodiscard]] bool ready() const { return m_match && m_context; }

    struct Found {
        std::size_t begin = std::string_view::npos, end = 0; ///< begin == npos: no match
        int error = 0;                                       ///< below 0: given up, for patternError
    };
    /// The first match at or after `from`. `text` must be valid UTF-8: it is not checked again.
    [[nodiscard]] Found find(std::string_view text, std::size_t from) const {
        const int code = pcre2_match(m_code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                                     PCRE2_NO_UTF_CHECK, m_match.get(), m_context.get());
        if (code == PCRE2_ERROR_NOMATCH)
            return {};
        if (code < 0)
            return {std::string_view::npos, 0, code};
        const PCRE2_SIZE* const ends = pcre2_get_ovector_pointer(m_match.get());
        return {ends[0], ends[1], 0};
    }

private:
    struct FreeMatch {
        void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
    };
    struct FreeContext {
        void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
    };
    const pcre2_code* m_code;
    std::unique_ptr<pcre2_match_data, FreeMatch> m_match;
    std::unique_ptr<pcre2_match_context, FreeContext> m_context;
};

} // namespace fovea
