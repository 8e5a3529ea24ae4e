#pragma once
#include "core/base/Result.h"
#include "core/files/GgufKeys.h"
#include "core/text/Vocabulary.h"
#include <string>
#include <vector>

namespace fovea {

/// Reads the keys `tokenizer.ggml.*` of a GGUF file. Missing keys have the defaults of llama.cpp: a
/// SentencePiece vocabulary has bos 1, eos 2, unknown 0, adds bos and a space; a WordPiece one has [CLS] 101,
/// [SEP] 102, unknown 100 and adds both; pre-tokenizers llama-bpe and tekken add bos; architecture gpt2
/// without a pre-tokenizer has gpt-2. A token that is to be added and has no id is not added, and `warnings`
/// says so. Errors: Inconsistent (missing or contradicting entries; names the key), TooLarge.
[[nodiscard]] Result<Vocabulary> readGgufVocabulary(const GgufKeys& keys, std::vector<std::string>& warnings);

} // namespace fovea
