// Checks the vocabulary of a model file and builds a tokenizer from it.
#include "core/text/Tokenizer.h"
#include "core/text/ByteAlphabet.h"
#include "core/text/ByteBpe.h"
#include "core/text/Display.h"
#include "core/text/Utf8.h"
#include <string_view>
#include <unordered_map>

namespace fovea {

namespace {

using IdOfText = std::unordered_map<std::string_view, std::int32_t>;

std::string inQuotes(std::string_view text) {
    return std::string("\"").append(displayText(text, 80)).append("\"");
}

Result<> checkCounts(const Vocabulary& v) {
    if (v.tokens.empty())
        return fail(ErrorCode::Inconsistent,
                    "tokenizer.ggml.tokens is empty; a vocabulary has at least one token.");
    if (v.tokens.size() > static_cast<std::size_t>(INT32_MAX))
        return fail(ErrorCode::TooLarge, "tokenizer.ggml.tokens has " + std::to_string(v.tokens.size()) +
                                             " tokens; accepted: below 2147483648.");
    if (!v.kinds.empty() && v.kinds.size() != v.tokens.size())
        return fail(ErrorCode::Inconsistent, "tokenizer.ggml.token_type has " +
                                                 std::to_string(v.kinds.size()) +
                                                 " entries and tokenizer.ggml.tokens has " +
                                                 std::to_string(v.tokens.size()) + "; both must be equal.");
    for (std::size_t id = 0; id < v.kinds.size(); ++id)
        if (v.kinds[id] < 1 || v.kinds[id] > 6)
            return fail(ErrorCode::Inconsistent, "tokenizer.ggml.token_type of token " + std::to_string(id) +
                                                     " is " + std::to_string(v.kinds[id]) +
                                                     "; accepted: 1 to 6.");
    return {};
}

Result<> checkNamedIds(const Vocabulary& v) {
    const std::pair<const char*, std::int64_t> ids[] = {{"tokenizer.ggml.bos_token_id", v.bos},
                                                        {"tokenizer.ggml.eos_token_id", v.eos},
                                                        {"tokenizer.ggml.unknown_token_id", v.unknown},
                                                        {"tokenizer.ggml.padding_token_id", v.padding}};
    for (const auto& [key, id] : ids)
        if (id < -1 || id >= static_cast<std::int64_t>(v.tokens.size()))
            return fail(ErrorCode::Inconsistent, std::string(key) + " is " + std::to_string(id) +
                                                     "; the vocabulary has tokens 0 to " +
                                                     std::to_string(v.tokens.size() - 1) + ".");
    if (v.addBos && v.bos < 0)
        return fail(ErrorCode::Inconsistent,
                    "tokenizer.ggml.add_bos_token is true, but tokenizer.ggml.bos_token_id is missing.");
    if (v.addEos && v.eos < 0)
        return fail(ErrorCode::Inconsistent,
                    "tokenizer.ggml.add_eos_token is true, but tokenizer.ggml.eos_token_id is missing.");
    return {};
}

Result<std::vector<MergeRule>> readMerges(const Vocabulary& v, const IdOfText& idOf) {
    std::vector<MergeRule> rules;
    rules.reserve(v.merges.size());
    for (std::size_t m = 0; m < v.merges.size(); ++m) {
        const std::string_view merge = v.merges[m];
        const std::string where =
            "tokenizer.ggml.merges entry " + std::to_string(m) + " is " + inQuotes(merge);
        const std::size_t space = merge.find(' ', 1); // a token may begin with the space itself
        if (merge.empty() || space == std::string_view::npos || space + 1 == merge.size())
            return fail(ErrorCode::Inconsistent, where + "; accepted: two tokens with a space between.");
        const std::string_view left = merge.substr(0, space), right = merge.substr(space + 1);
        const std::string joined = std::string(left) + std::string(right);
        MergeRule rule;
        const std::pair<std::string_view, std::int32_t*> parts[] = {
            {left, &rule.left}, {right, &rule.right}, {joined, &rule.result}};
        for (const auto& [text, id] : parts) {
            const auto found = idOf.find(text);
            if (found == idOf.end())
                return fail(ErrorCode::Inconsistent,
                            where + ", but " + inQuotes(text) + " is not a token of the vocabulary.");
            *id = found->second;
        }
        rules.push_back(rule);
    }
    return rules;
}

} // namespace

Result<std::shared_ptr<const Tokenizer>> makeTokenizer(Vocabulary vocabulary) {
    if (vocabulary.model != "gpt2")
        return fail(ErrorCode::Unsupported, "tokenizer.ggml.model is " + inQuotes(vocabulary.model) +
                                                "; accepted: gpt2 (byte-level BPE).");
    auto preTokenizer = PreTokenizer::named(vocabulary.pre);
    if (!preTokenizer)
        return tl::make_unexpected(preTokenizer.error());
    FOVEA_TRY(checkCounts(vocabulary));
    FOVEA_TRY(checkNamedIds(vocabulary));

    std::vector<std::string> warnings;
    IdOfText idOf;
    idOf.reserve(vocabulary.tokens.size());
    std::size_t duplicates = 0, firstDuplicate = 0;
    for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id)
        if (!idOf.emplace(vocabulary.tokens[id], static_cast<std::int32_t>(id)).second && duplicates++ == 0)
            firstDuplicate = id;
    if (duplicates > 0)
        warnings.push_back(std::to_string(duplicates) +
                           " tokens have the text of an earlier one, first token " +
                           std::to_string(firstDuplicate) + " " +
                           inQuotes(vocabulary.tokens[firstDuplicate]) + "; the lowest id is used.");
    auto rules = readMerges(vocabulary, idOf);
    if (!rules)
        return tl::make_unexpected(rules.error());

    std::array<std::int32_t, 256> idOfByte{};
    std::string missing;
    std::size_t missingCount = 0;
    for (unsigned byte = 0; byte < 256; ++byte) {
        std::string letter;
        appendUtf8(letter, byteLetters()[byte]);
        const auto found = idOf.find(letter);
        idOfByte[byte] = found == idOf.end() ? -1 : found->second;
        if (found == idOf.end()) {
            constexpr std::string_view hex = "0123456789ABCDEF";
            missing += missing.empty() ? "" : " ";
            missing += hex[byte >> 4];
            missing += hex[byte & 15];
            ++missingCount;
        }
    }
    if (missingCount == 256)
        return fail(ErrorCode::Inconsistent,
                    "tokenizer.ggml.tokens has no token for any single byte; byte-level BPE needs them.");
    if (missingCount > 0)
        warnings.push_back("The vocabulary has no token for " + std::to_string(missingCount) + " bytes (" +
                           missing + "); they give none and are counted.");

    std::vector<std::string> pieces;
    pieces.reserve(vocabulary.tokens.size());
    for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
        const std::string& text = vocabulary.tokens[id];
        const bool normal = vocabulary.kinds.empty() ||
                            vocabulary.kinds[id] == static_cast<std::int32_t>(TokenKind::Normal) ||
                            vocabulary.kinds[id] == static_cast<std::int32_t>(TokenKind::Byte);
        auto bytes = normal ? bytesOfLetters(text) : std::nullopt;
        pieces.push_back(bytes ? std::move(*bytes) : text);
    }
    BytePairs pairs(idOfByte, std::move(*rules));
    vocabulary.tokens.clear(); // from here on only the pieces are used
    vocabulary.tokens.shrink_to_fit();
    vocabulary.merges.clear();
    vocabulary.merges.shrink_to_fit();
    return std::make_shared<const ByteBpe>(ByteBpe::Parts{std::move(vocabulary), std::move(*preTokenizer),
                                                          std::move(pairs), std::move(pieces),
                                                          std::move(warnings)});
}

} // namespace fovea
