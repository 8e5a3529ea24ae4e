#pragma once
#include "core/lesson/Scene.h"
#include <string>
#include <string_view>
#include <vector>

namespace fovea::lesson {

struct FilledPiece {
    std::string text;
    Mark mark = Mark::None;
    int token = -1; ///< of a coloured word
    int word = -1;
    bool operator==(const FilledPiece&) const = default;
};
using FilledParagraph = std::vector<FilledPiece>;

/// The paragraph with its numbers. What cannot be computed becomes `missing`, or if that is empty "(why)";
/// `problems` gets the sentence.
[[nodiscard]] FilledParagraph fill(const Paragraph& paragraph, const Scene& scene,
                                   std::vector<std::string>* problems = nullptr,
                                   std::string_view missing = {});
[[nodiscard]] std::string plainText(const FilledParagraph& paragraph);

/// Coloured words of the paragraph that are not what stands at their token in this model's text, a sentence
/// each. Words are compared when their token is a number that the lesson states, or one found by a word of
/// the text (token_of), and nothing else is: "[here](key:recall_told(0))" may say what it likes. "#300" is
/// compared as a number.
[[nodiscard]] std::vector<std::string> falseWords(const Paragraph& paragraph, const Scene& scene);

} // namespace fovea::lesson
