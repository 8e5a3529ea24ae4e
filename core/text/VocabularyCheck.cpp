#include "core/text/VocabularyCheck.h"
#include "core/text/Display.h"
#include <cmath>

namespace fovea {

namespace {

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
    if (!v.strips.empty() && v.strips.size() != v.tokens.size())
        return fail(ErrorCode::Inconsistent, "The vocabulary says of " + std::to_string(v.strips.size()) +
                                                 " tokens whether they take white space, and has " +
                                                 std::to_string(v.tokens.size()) + "; both must be equal.");
    return {};
}

Result<> checkScores(const Vocabulary& v) {
    if (v.scores.size() != v.tokens.size())
        return fail(ErrorCode::Inconsistent, "tokenizer.ggml.scores has " + std::to_string(v.scores.size()) +
                                                 " entries and tokenizer.ggml.tokens has " +
                                                 std::to_string(v.tokens.size()) +
                                                 "; both must be equal for tokenizer.ggml.model \"llama\".");
    for (std::size_t id = 0; id < v.scores.size(); ++id)
        if (!std::isfinite(v.scores[id]))
            return fail(ErrorCode::Inconsistent, "tokenizer.ggml.scores of token " + std::to_string(id) +
                                                     " is " + std::to_string(v.scores[id]) +
                                                     "; accepted: finite numbers.");
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

} // namespace

Result<> checkVocabulary(const Vocabulary& vocabulary) {
    FOVEA_TRY(checkCounts(vocabulary));
    if (vocabulary.model == "llama")
        FOVEA_TRY(checkScores(vocabulary));
    return checkNamedIds(vocabulary);
}

IdOfText idsOfTexts(const Vocabulary& vocabulary, std::vector<std::string>& warnings) {
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
    return idOf;
}

Result<std::vector<MergeRule>> mergeRules(const Vocabulary& v, const IdOfText& idOf) {
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

TokenKind kindOf(const Vocabulary& vocabulary, std::size_t id) {
    return vocabulary.kinds.empty() ? TokenKind::Normal : static_cast<TokenKind>(vocabulary.kinds[id]);
}

int byteOfName(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>')
        return -1;
    int byte = 0;
    for (const char c : token.substr(3, 2)) {
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0)
            return -1;
        byte = byte * 16 + digit;
    }
    return byte;
}

} // namespace fovea
