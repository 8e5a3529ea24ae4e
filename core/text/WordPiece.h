#pragma once
#include "core/text/SubwordModel.h"
#include "core/text/Unicode.h"
#include "core/text/Vocabulary.h"
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace fovea {

/// WordPiece as BERT uses it: the text is normalized, cut into words at spaces and punctuation, and each word
/// is taken apart greedily from the left by the longest token.
class WordPiece final : public SubwordModel {
public:
    struct Parts {
        std::unordered_map<std::string, std::int32_t> begins;    ///< tokens that begin a word
        std::unordered_map<std::string, std::int32_t> continues; ///< tokens inside a word
        std::size_t longest = 0;                                 ///< bytes of the longest of them
        std::int32_t unknown = -1;
        WordRules rules;
    };
    explicit WordPiece(Parts parts) : m_parts(std::move(parts)) {}

    [[nodiscard]] Result<> encode(const TextPart& part, PartSink& sink) const override;

private:
    /// The text after cleaning, decomposing and lower-casing; white space is ' '.
    [[nodiscard]] std::vector<PlacedCharacter> normalized(std::string_view text) const;
    Parts m_parts;
};

} // namespace fovea
