#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

enum class TokenKind : std::uint8_t { Normal = 1, Unknown = 2, Control = 3, User = 4, Unused = 5, Byte = 6 };

/// How a SentencePiece vocabulary (models "llama" and "bpe") treats spaces, which it writes as U+2581.
struct SpaceRules {
    enum class Prefix : std::uint8_t {
        None,
        EachPart, ///< a space is put before the text and after each special or user token
        First     ///< a space is put before the text only
    };
    Prefix prefix = Prefix::EachPart;
    bool unlessSpace = false; ///< no space is put before a text that begins with one
    bool split = false;       ///< no token reaches across the beginning of a run of letters and its space
    bool operator==(const SpaceRules&) const = default;
};

/// What a WordPiece vocabulary (model "bert") does to a text before it looks for words.
struct WordRules {
    bool clean = true; ///< drop U+0000, U+FFFD and control characters; every white space is a space
    bool chinese = true;
    bool lowerCase = true;
    bool stripAccents = true;      ///< canonical decomposition, then drop category Mn
    std::size_t longestWord = 100; ///< characters; a longer word is the unknown token
    bool operator==(const WordRules&) const = default;
};

/// What a model file says about its tokenizer, as plain values. Checked by makeTokenizer, not here.
struct Vocabulary {
    /// "gpt2": byte-level BPE. "llama": SentencePiece, pairs merged by the score of the joined token. "bpe":
    /// pairs of characters merged by rank, bytes as fallback (tokenizer.json only). "bert": WordPiece; a
    /// token that begins a word is written with U+2581 before it, as in GGUF.
    std::string model;
    std::string pre; ///< pre-tokenizer of "gpt2": "smollm", "gpt-2", ... (PreTokenizerTable.h)
    std::vector<std::string> tokens; ///< [V]
    std::vector<float> scores;       ///< [V] for "llama", else ignored
    std::vector<std::int32_t> kinds; ///< [V] or empty (all normal)
    std::vector<std::string> merges; ///< "left right", best first; for "gpt2" and "bpe"
    /// [V] or empty. White space beside a special token that belongs to it: bit 0 before it, bit 1 after it.
    std::vector<std::uint8_t> strips;
    std::int64_t bos = -1, eos = -1, unknown = -1, padding = -1;
    bool addBos = false;
    bool addEos = false;
    /// A piece that is a token is taken without merging. Absent: as the pre-tokenizer has it.
    std::optional<bool> ignoreMerges;
    bool composed = false;    ///< the text is brought into normal form C first
    bool byteFallback = true; ///< "bpe": a character without a token becomes its bytes `<0xXX>`
    bool fuseUnknown = false; ///< "bpe": neighbouring unknown characters give one unknown token
    SpaceRules spaces;
    WordRules words;
};

} // namespace fovea
