#pragma once
#include "core/base/Result.h"
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::lesson {

/// A word of the window, explained in two sentences.
struct GlossaryEntry {
    std::string word;
    std::vector<std::string> also; ///< other forms of it, or words that the same two sentences explain
    std::string say;
};

/// A document "fovea": "glossary". Errors: BadValue with the path of the mistake; two entries with one word.
[[nodiscard]] Result<std::vector<GlossaryEntry>> glossaryFromJson(std::string_view text);

/// A word of the glossary in a text: bytes [begin, end).
struct GlossaryHit {
    std::size_t begin = 0, end = 0;
    const GlossaryEntry* entry = nullptr;
};

/// The words of the glossary in `text`, in their order. Only whole words count, capital letters do not, but
/// for words of one or two letters. Of "key role" and "key" the longer one is found. Cost: the length of the
/// text for each word.
[[nodiscard]] std::vector<GlossaryHit> glossaryWords(std::string_view text,
                                                     std::span<const GlossaryEntry> glossary);

} // namespace fovea::lesson
