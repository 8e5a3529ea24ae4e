// The patterns are in PreTokenizerTable.cpp; here they are matched, stage by stage.
#include "core/text/PreTokenizer.h"
#include "core/text/Display.h"
#include "core/text/PatternMatcher.h"
#include "core/text/PreTokenizerTable.h"
#include <algorithm>
#include <string>

namespace fovea {

namespace {

/// The first match at or after `from`; begin == npos: none.
Result<PatternMatcher::Found> find(const PatternMatcher& matcher, std::string_view text, std::size_t from) {
    const PatternMatcher::Found found = matcher.find(text, from);
    if (found.error == PCRE2_ERROR_NOMEMORY)
        return fail(ErrorCode::OutOfMemory, "The text could not be cut into words: out of memory.");
    if (found.error < 0)
        return fail(ErrorCode::TooLarge,
                    "The text cannot be cut into words: the pattern engine stops at byte " +
                        std::to_string(from) + " with error " + std::to_string(found.error) + ".");
    return found;
}

Error withOffset(Error error, std::size_t offset) {
    if (offset > 0)
        error.message += " Counted from byte " + std::to_string(offset) + ".";
    return error;
}

} // namespace

struct PreTokenizer::Patterns {
    std::vector<Pattern> stages;
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
        patterns->stages.push_back(compilePattern(pcrePattern(stage)).pattern);
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
        const PatternMatcher matcher(stage.get());
        if (!matcher.ready())
            return fail(ErrorCode::OutOfMemory, "The text could not be cut into words: out of memory.");
        cut.clear();
        std::size_t begin = 0;
        for (const std::size_t end : ends) {
            // Each piece is matched as a text of its own, so that a negative lookahead treats its end as the
            // end of the text.
            const std::string_view part = text.substr(begin, end - begin);
            for (std::size_t at = 0; at < part.size();) {
                const auto found = find(matcher, part, at);
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
