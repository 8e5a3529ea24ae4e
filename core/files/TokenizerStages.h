#pragma once
#include "core/base/Result.h"
#include "core/files/JsonTree.h"
#include "core/text/Vocabulary.h"
#include <cstdint>
#include <optional>
#include <string>

namespace fovea {

/// Unsupported: "tokenizer.json: " and `what`.
[[nodiscard]] tl::unexpected<Error> unsupportedTokenizer(const std::string& what);

/// What stands before a model in tokenizer.json. `isWords`: the model is WordPiece, else BPE. Sets
/// Vocabulary::model, `pre`, `composed`, `spaces` and `words`. Errors: Unsupported, Inconsistent; each names
/// the entry.
[[nodiscard]] Result<> readTextStages(const JsonTree* normalizer, const JsonTree* preTokenizer, bool isWords,
                                      Vocabulary& vocabulary);

/// The tokens that `post_processor` puts around every text.
struct AddedEnds {
    bool said = false; ///< there is a post_processor
    std::optional<std::string> first, last;
};
/// Errors: Unsupported for anything but one token before and one after the text.
[[nodiscard]] Result<AddedEnds> readAddedEnds(const JsonTree* postProcessor);

} // namespace fovea
