// Patterns: "gpt-2" from Radford et al., "Language Models are Unsupervised Multitask Learners", 2019
// (encoder.py of its release); the others from the tokenizer.json of the model that a row is named after.
// llama.cpp rewrites some of them for its own matcher (tekken, gpt-4o: upper and lower case as "not a-z" and
// "not A-Z"); the published ones are used.
#include "core/text/PreTokenizerTable.h"
#include <algorithm>
#include <array>

namespace fovea {

namespace {

constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kGpt4o =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kDeepSeekWords =
    R"(\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕ)"
    R"(ἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛ)"
    R"(Ꜣ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+)";
constexpr std::string_view kHan = R"([一-龥ࠀ-一가-퟿]+)";
constexpr std::string_view kDeepSeek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kBloom = R"( ?[^(\s|.,!?…。，、।۔،)]+)";

/// Rows with the same stages: the first is what tokenizer.json gives, unless it says otherwise.
const std::vector<PreTokenizerSpec>& specs() {
    static const std::vector<PreTokenizerSpec> rows{
        {{"gpt-2", "gpt2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "exaone4",
          "gigachat", "a.x-4.0", "mellum", "modern-bert", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de"},
         {kByteLevelStage}},
        {{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"},
         {kDigitStage, kByteLevelStage}},
        {{"dbrx", "smaug-bpe", "chatglm-bpe"}, {kLlama3}},
        {{"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"},
         {kLlama3},
         true,
         true},
        {{"glm4", "glm5"}, {kLlama3}, true, false},
        {{"qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "hunyuan", "kormo", "f2llmv2", "solar-open",
          "grok-2"},
         {kQwen2}},
        {{"qwen35"}, {kQwen35}},
        {{"tekken"}, {kTekken}, true, true},
        {{"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"}, {kGpt4o}},
        {{"deepseek-llm"},
         {R"([\r\n])", kDeepSeekWords, R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)", R"(\s+$)", kHan, kDigitsStage}},
        {{"deepseek-coder"}, {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kHan, kDigitStage}},
        {{"deepseek-v3", "hunyuan-dense", "joyai-llm"},
         {R"(\p{N}{1,3})", R"([一-龥぀-ゟ゠-ヿ]+)", kDeepSeek3}},
        {{"falcon"}, {kPunctuationStage, kByteLevelStage, "[0-9][0-9][0-9]"}},
        {{"minicpm5"},
         {R"(\p{N}{1,3})",
          R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
         true,
         false},
        {{"seed-coder"},
         {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)"}},
        {{"bailingmoe", "bailingmoe2", "llada-moe"},
         {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)"}},
        {{"poro-chat", "bloom", "gpt3-finnish"}, {kBloom}},
        {{"viking"}, {kBloom, kDigitStage}},
        {{"default"}, {R"([\p{P}\$\+<=>\^~\|]+)", kByteLevelStage, kDigitsStage, "[0-9][0-9][0-9]"}},
    };
    return rows;
}

struct LaterCharacters {
    std::string_view category, characters;
};
#include "core/text/LaterCharacters.inc"

constexpr std::string_view kSpace = R"(\p{Z}\x{9}-\x{D}\x{85})";
// Before \p{L}, \p{N} the ASCII characters by themselves: PCRE2 finds them in its bit map.
constexpr std::string_view kLetter =
    R"(A-Za-z\p{L})"
    R"(\x{1C89}-\x{1C8A}\x{A7CB}-\x{A7CD}\x{A7DA}-\x{A7DC}\x{105C0}-\x{105F3}\x{10D4A}-\x{10D65})"
    R"(\x{10D6F}-\x{10D85}\x{10EC2}-\x{10EC4}\x{1123F}-\x{11240}\x{11380}-\x{11389}\x{1138B})"
    R"(\x{1138E}\x{11390}-\x{113B5}\x{113B7}\x{113D1}\x{113D3}\x{11BC0}-\x{11BE0}\x{11F02})"
    R"(\x{11F04}-\x{11F10}\x{11F12}-\x{11F33}\x{1342F}\x{13441}-\x{13446}\x{13460}-\x{143FA})"
    R"(\x{16100}-\x{1611D}\x{16D40}-\x{16D6C}\x{18CFF}\x{1B132}\x{1B155}\x{1DF25}-\x{1DF2A})"
    R"(\x{1E030}-\x{1E06D}\x{1E4D0}-\x{1E4EB}\x{1E5D0}-\x{1E5ED}\x{1E5F0}\x{2B739})"
    R"(\x{2EBF0}-\x{2EE5D}\x{31350}-\x{323AF})";
constexpr std::string_view kNumber =
    R"(0-9\p{N})"
    R"(\x{10D40}-\x{10D49}\x{116D0}-\x{116E3}\x{11BF0}-\x{11BF9}\x{11DE0}-\x{11DE9})"
    R"(\x{11F50}-\x{11F59}\x{16130}-\x{16139}\x{16D70}-\x{16D79}\x{16FF4}-\x{16FF6})"
    R"(\x{1CCF0}-\x{1CCF9}\x{1D2C0}-\x{1D2D3}\x{1E4F0}-\x{1E4F9}\x{1E5F1}-\x{1E5FA})";

std::string category(std::string_view name) {
    if (name == "L")
        return std::string(kLetter);
    if (name == "N")
        return std::string(kNumber);
    std::string text = "\\p{" + std::string(name) + "}";
    for (const LaterCharacters& later : kLater)
        if (later.category == name)
            text += later.characters;
    return text;
}

bool isAsciiLetter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

} // namespace

std::span<const PreTokenizerSpec> preTokenizerSpecs() {
    return specs();
}

const PreTokenizerSpec* findPreTokenizer(std::string_view name) {
    for (const PreTokenizerSpec& row : specs())
        if (std::find(row.names.begin(), row.names.end(), name) != row.names.end())
            return &row;
    return nullptr;
}

const PreTokenizerSpec* findPreTokenizer(std::span<const std::string> stages) {
    for (const PreTokenizerSpec& row : specs())
        if (std::equal(row.stages.begin(), row.stages.end(), stages.begin(), stages.end()))
            return &row;
    return nullptr;
}

std::string pcrePattern(std::string_view pattern) {
    // From every start inside a run of spaces, "\s+$" would read the run to its end. Equal, and linear:
    if (pattern == R"(\s+$)")
        return "(?<![" + std::string(kSpace) + "])[" + std::string(kSpace) + "]++\\z";
    std::string out;
    bool inClass = false;
    std::size_t anyCase = 0; // depth of brackets inside (?i:...), which is not nested
    for (std::size_t at = 0; at < pattern.size(); ++at) {
        const std::string_view rest = pattern.substr(at);
        const auto characters = [&](const std::string& all, std::string_view open) {
            out += inClass ? all : std::string(open) + all + "]";
        };
        if (rest.starts_with("\\p{")) {
            const std::size_t close = rest.find('}');
            characters(category(rest.substr(3, close - 3)), "[");
            at += close;
        } else if (rest.starts_with("\\s")) {
            characters(std::string(kSpace), "[");
            ++at;
        } else if (rest.starts_with("\\S")) {
            characters(std::string(kSpace), "[^");
            ++at;
        } else if (rest.front() == '\\') {
            out += rest.substr(0, 2);
            ++at;
        } else if (rest.starts_with("(?i:")) {
            out += "(?:";
            anyCase = 1;
            at += 3;
        } else if (anyCase > 0 && isAsciiLetter(rest.front())) {
            const char pair[2] = {rest.front(), static_cast<char>(rest.front() ^ 0x20)};
            characters(std::string(pair, 2), "[");
        } else {
            const char c = rest.front();
            if (inClass)
                inClass = c != ']';
            else if (c == '[')
                inClass = true;
            else if (anyCase > 0 && (c == '(' || c == ')'))
                anyCase = c == '(' ? anyCase + 1 : anyCase - 1;
            out += c;
        }
    }
    return out;
}

} // namespace fovea
