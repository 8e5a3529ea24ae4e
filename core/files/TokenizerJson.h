#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include "core/files/JsonTree.h"
#include "core/text/Vocabulary.h"
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// What tokenizer.json and tokenizer_config.json of a model folder say.
struct TokenizerFiles {
    Vocabulary vocabulary;
    std::string chatTemplate; ///< `chat_template`, or its entry "default"; empty: none
    std::vector<std::string> warnings;
};

/// Reads the `tokenizer.json` of a model folder (format of the library `tokenizers`), so that ids equal those
/// of the GGUF file of the same model. `config` is tokenizer_config.json, or null. Read are BPE (byte-level,
/// or over characters with bytes as fallback) and WordPiece; normalizers NFC, Replace of a space by U+2581,
/// Prepend, BertNormalizer; pre-tokenizers ByteLevel, Digits, Split by a known pattern, Metaspace,
/// BertPreTokenizer. Patterns are compared as text and never run. Ids without a token become unused tokens.
/// Errors: Unsupported (another model, normalizer, pre-tokenizer or pattern; names it), Inconsistent (missing
/// or contradicting entries), BadValue (not JSON), TooLarge (over 128 MiB), Cancelled. Cost: linear in the
/// text.
[[nodiscard]] Result<TokenizerFiles> readTokenizerJson(std::string_view json, const JsonTree* config,
                                                       const WorkContext& work);

/// Appends unused tokens "[PAD12]" until the vocabulary has as many tokens as the embedding has rows, as the
/// GGUF converter of llama.cpp does. Errors: Inconsistent when there are more tokens than rows.
[[nodiscard]] Result<> padVocabulary(Vocabulary& vocabulary, std::size_t embeddingRows);

} // namespace fovea
