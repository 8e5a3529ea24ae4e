#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include "core/text/Tokens.h"
#include "core/text/Vocabulary.h"
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

struct EncodeOptions {
    /// Read `<|im_start|>` and similar names in the text as special tokens. Otherwise they are plain
    /// characters.
    bool specialTokens = false;
    bool operator==(const EncodeOptions&) const = default;
};

/// Converts text to token ids and back. Immutable after construction and safe to share between threads. Bytes
/// that the vocabulary lacks give the unknown token or none, and are counted; in byte-level BPE the bytes
/// around them may merge, as in the PyPI package `tokenizers` (llama.cpp keeps them apart). Invalid UTF-8
/// never fails: each bad byte is read as U+FFFD and counted, and the spans still refer to the original bytes.
class Tokenizer {
public:
    virtual ~Tokenizer() = default;
    /// Cost: n log n in the number of bytes, even for a single piece of 1 MB. Polls `work.cancel` every 64
    /// KiB.
    [[nodiscard]] virtual Result<Tokens> encode(std::string_view text, const EncodeOptions& options,
                                                const WorkContext& work) const = 0;
    /// The first `most` tokens of what `encode` gives, `most` > 0, with the bytes counted that these cover.
    /// Reads only as much of the text as they need: cost n log n in those bytes, unless the text is one long
    /// piece.
    [[nodiscard]] virtual Result<Tokens> encodeFirst(std::string_view text, std::size_t most,
                                                     const EncodeOptions& options,
                                                     const WorkContext& work) const = 0;
    [[nodiscard]] virtual std::int32_t vocabularySize() const = 0;
    /// The bytes that token `id` stands for; for a special token its name. `id` must be below
    /// vocabularySize().
    [[nodiscard]] virtual std::string piece(std::int32_t id) const = 0;
    [[nodiscard]] virtual TokenKind kind(std::int32_t id) const = 0;
    [[nodiscard]] virtual std::string decode(const std::vector<std::int32_t>& ids) const = 0;
    [[nodiscard]] virtual const std::vector<std::string>& warnings() const = 0;
};

/// Checks the vocabulary (counts, ids, finite scores, merges made of tokens) and builds the tokenizer.
/// Errors: Unsupported (model or pre-tokenizer), Inconsistent (counts, ids, scores, merges; names the key).
[[nodiscard]] Result<std::shared_ptr<const Tokenizer>> makeTokenizer(Vocabulary vocabulary);

} // namespace fovea
