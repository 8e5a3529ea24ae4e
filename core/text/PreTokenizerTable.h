#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// One way to cut a text into pieces before byte-level BPE. The stages are applied one after another, each to
/// every piece that the one before it left.
struct PreTokenizerSpec {
    std::vector<std::string_view> names;  ///< of `tokenizer.ggml.pre`
    std::vector<std::string_view> stages; ///< patterns, in the syntax of tokenizer.json
    bool ignoreMerges = false;            ///< a piece that is a token is taken without merging
    bool addsBos = false;                 ///< bos is added unless the file says otherwise
};

/// All pre-tokenizers. Patterns are those of the models' tokenizer.json files; names and flags are those of
/// llama.cpp (src/llama-vocab.cpp).
[[nodiscard]] std::span<const PreTokenizerSpec> preTokenizerSpecs();
[[nodiscard]] const PreTokenizerSpec* findPreTokenizer(std::string_view name);
/// The first row with exactly these stages, or null.
[[nodiscard]] const PreTokenizerSpec* findPreTokenizer(std::span<const std::string> stages);

/// The stages that the entries "ByteLevel" (with use_regex), "Digits" (one by one; in runs) and "Punctuation"
/// of tokenizer.json stand for.
inline constexpr std::string_view kByteLevelStage =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kDigitStage = R"(\p{N})";
inline constexpr std::string_view kDigitsStage = R"(\p{N}+)";
inline constexpr std::string_view kPunctuationStage = R"([\p{P}\$\+<=>\^~\|`]+)";

/// A pattern of the table in the syntax of PCRE2 with UTF and UCP. `\s` is written out, because that of PCRE2
/// includes U+180E. Categories gain the characters that Unicode added after 14.0, which PCRE2 10.42 does not
/// know. `(?i:...)` becomes classes of ASCII letters. `$` is the end of the text.
[[nodiscard]] std::string pcrePattern(std::string_view pattern);

} // namespace fovea
