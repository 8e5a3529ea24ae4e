#pragma once
#include "core/text/ByteAlphabet.h"
#include "core/text/Tokenizer.h"
#include "core/text/Utf8.h"
#include <string>
#include <vector>

namespace fovea::test {

/// A byte-level vocabulary small enough to follow by hand: the 256 bytes (ids 0..255, less those in
/// `without`), then one token per merge, then the control tokens <|im_start|> and <|im_end|> and the user
/// token "<keep>".
inline Vocabulary smallVocabulary(const std::vector<std::pair<std::string, std::string>>& merges = {},
                                  const std::string& without = {}, const std::string& pre = "smollm") {
    Vocabulary v;
    v.model = "gpt2";
    v.pre = pre;
    const auto letters = [](const std::string& bytes) {
        std::string out;
        for (const char c : bytes)
            appendUtf8(out, byteLetters()[static_cast<unsigned char>(c)]);
        return out;
    };
    for (int byte = 0; byte < 256; ++byte) {
        const std::string bytes(1, static_cast<char>(byte));
        const bool missing = without.find(bytes) != std::string::npos;
        v.tokens.push_back(missing ? "[no byte " + std::to_string(byte) + "]" : letters(bytes));
    }
    for (const auto& [left, right] : merges) {
        v.tokens.push_back(letters(left + right));
        v.merges.push_back(letters(left) + " " + letters(right));
    }
    v.kinds.assign(v.tokens.size(), static_cast<std::int32_t>(TokenKind::Normal));
    for (const char* name : {"<|im_start|>", "<|im_end|>"}) {
        v.tokens.emplace_back(name);
        v.kinds.push_back(static_cast<std::int32_t>(TokenKind::Control));
    }
    v.tokens.emplace_back("<keep>");
    v.kinds.push_back(static_cast<std::int32_t>(TokenKind::User));
    v.bos = static_cast<std::int64_t>(v.tokens.size()) - 3;
    v.eos = v.bos + 1;
    return v;
}

} // namespace fovea::test
