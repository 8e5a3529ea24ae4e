#include "core/files/GgufVocabulary.h"
#include "core/text/PreTokenizerTable.h"
#include <algorithm>
#include <cctype>
#include <cmath>

namespace fovea {

namespace {

using Integer = Result<std::int64_t>;

Result<> requireCount(const GgufKeys& keys, const std::string& key, std::size_t found, std::size_t tokens) {
    if (!keys.has(key) || found == tokens)
        return {};
    return fail(ErrorCode::Inconsistent, key + " has " + std::to_string(found) +
                                             " entries and tokenizer.ggml.tokens has " +
                                             std::to_string(tokens) + "; equal counts are accepted");
}

Result<> readScores(const GgufKeys& keys, Vocabulary& vocabulary) {
    const auto scores = keys.reals("tokenizer.ggml.scores");
    FOVEA_TRY(scores);
    FOVEA_TRY(requireCount(keys, "tokenizer.ggml.scores", scores->size(), vocabulary.tokens.size()));
    const auto bad = std::find_if(scores->begin(), scores->end(), [](double s) { return !std::isfinite(s); });
    if (bad != scores->end())
        return fail(ErrorCode::Inconsistent, "tokenizer.ggml.scores holds " + std::to_string(*bad) +
                                                 " for token " + std::to_string(bad - scores->begin()) +
                                                 "; finite numbers are accepted");
    vocabulary.scores.reserve(scores->size());
    for (const double score : *scores)
        vocabulary.scores.push_back(static_cast<float>(score));
    return {};
}

Result<> readKinds(const GgufKeys& keys, Vocabulary& vocabulary) {
    const auto kinds = keys.integers("tokenizer.ggml.token_type");
    FOVEA_TRY(kinds);
    FOVEA_TRY(requireCount(keys, "tokenizer.ggml.token_type", kinds->size(), vocabulary.tokens.size()));
    for (std::size_t i = 0; i < kinds->size(); ++i) {
        if ((*kinds)[i] < 1 || (*kinds)[i] > 6)
            return fail(ErrorCode::Inconsistent, "tokenizer.ggml.token_type holds " +
                                                     std::to_string((*kinds)[i]) + " for token " +
                                                     std::to_string(i) + "; 1 to 6 are accepted");
        vocabulary.kinds.push_back(static_cast<std::int32_t>((*kinds)[i]));
    }
    return {};
}

/// Ids that the file does not name have a default that depends on the kind of vocabulary.
Result<> readSpecialIds(const GgufKeys& keys, Vocabulary& vocabulary, std::vector<std::string>& warnings) {
    const auto last = static_cast<std::int64_t>(vocabulary.tokens.size()) - 1;
    const auto id = [&](const std::string& name, std::int64_t fallback) {
        return keys.integer("tokenizer.ggml." + name + "_token_id", 0, last,
                            fallback <= last ? fallback : -1);
    };
    const bool sentencePiece = vocabulary.model == "llama", words = vocabulary.model == "bert";
    const PreTokenizerSpec* pre = vocabulary.model == "gpt2" ? findPreTokenizer(vocabulary.pre) : nullptr;
    const Integer cls = id("cls", words ? 101 : -1);
    FOVEA_TRY(cls);
    // The misspelt key is the usual one.
    const Integer sep =
        id(keys.has("tokenizer.ggml.separator_token_id") ? "separator" : "seperator", words ? 102 : -1);
    FOVEA_TRY(sep);
    const Integer bos = id("bos", words ? *cls : sentencePiece ? 1 : -1);
    FOVEA_TRY(bos);
    const Integer eos = id("eos", words ? *sep : sentencePiece ? 2 : -1);
    FOVEA_TRY(eos);
    const Integer unknown = id("unknown", words ? 100 : sentencePiece ? 0 : -1);
    FOVEA_TRY(unknown);
    const Integer padding = id("padding", words ? 0 : -1);
    FOVEA_TRY(padding);
    vocabulary.bos = *bos;
    vocabulary.eos = words ? *sep : *eos;
    vocabulary.unknown = *unknown;
    vocabulary.padding = *padding;
    const auto addBos = keys.boolean("tokenizer.ggml.add_bos_token", sentencePiece || (pre && pre->addsBos));
    FOVEA_TRY(addBos);
    const auto addEos = keys.boolean("tokenizer.ggml.add_eos_token", false);
    FOVEA_TRY(addEos);
    const auto added = [&](bool wanted, std::int64_t token, const std::string& name, const char* place) {
        if (wanted && token < 0)
            warnings.push_back("tokenizer.ggml.add_" + name + "_token is true and tokenizer.ggml." + name +
                               "_token_id is missing: no token is put " + place + " a text.");
        return wanted && token >= 0;
    };
    // WordPiece always stands between [CLS] and [SEP], whatever the other keys say.
    vocabulary.addBos = added(words || *addBos, vocabulary.bos, "bos", "before");
    vocabulary.addEos = added(words || *addEos, vocabulary.eos, "eos", "after");
    return {};
}

Result<> readRules(const GgufKeys& keys, Vocabulary& vocabulary) {
    const auto prefix = keys.boolean("tokenizer.ggml.add_space_prefix", true);
    FOVEA_TRY(prefix);
    vocabulary.spaces.prefix = *prefix ? SpaceRules::Prefix::EachPart : SpaceRules::Prefix::None;
    const auto lower = keys.boolean("tokenizer.ggml.normalizer.lowercase", true);
    FOVEA_TRY(lower);
    vocabulary.words.lowerCase = *lower;
    const auto strip = keys.boolean("tokenizer.ggml.normalizer.strip_accents", *lower);
    FOVEA_TRY(strip);
    vocabulary.words.stripAccents = *strip;
    return {};
}

/// Phi-3's special tokens take the white space after them. GGUF has no key for it; llama.cpp goes by the
/// name, too.
void stripAfterPhi3Tokens(const GgufKeys& keys, Vocabulary& vocabulary) {
    std::string name = keys.text("general.name", "").value_or("");
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (vocabulary.model != "llama" ||
        (name.find("phi-3") == std::string::npos && name.find("phi3") == std::string::npos))
        return;
    vocabulary.strips.assign(vocabulary.tokens.size(), 0);
    for (std::size_t id = 0; id < vocabulary.kinds.size(); ++id) {
        const auto kind = static_cast<TokenKind>(vocabulary.kinds[id]);
        const std::string& token = vocabulary.tokens[id];
        if ((kind == TokenKind::Control || kind == TokenKind::User || kind == TokenKind::Unknown ||
             token == "</s>") &&
            token != "<unk>" && token != "<s>" && token != "<|endoftext|>")
            vocabulary.strips[id] = 2;
    }
}

} // namespace

Result<Vocabulary> readGgufVocabulary(const GgufKeys& keys, std::vector<std::string>& warnings) {
    Vocabulary vocabulary;
    const auto model = keys.text("tokenizer.ggml.model");
    FOVEA_TRY(model);
    vocabulary.model = *model;
    const auto pre = keys.text("tokenizer.ggml.pre", "");
    FOVEA_TRY(pre);
    vocabulary.pre = *pre;
    if (!keys.has("tokenizer.ggml.pre") && keys.text("general.architecture", "").value_or("") == "gpt2")
        vocabulary.pre = "gpt-2";
    auto tokens = keys.texts("tokenizer.ggml.tokens");
    FOVEA_TRY(tokens);
    if (tokens->empty())
        return fail(ErrorCode::Inconsistent, "tokenizer.ggml.tokens has 0 entries; at least 1 is needed");
    vocabulary.tokens = std::move(*tokens);
    FOVEA_TRY(readScores(keys, vocabulary));
    FOVEA_TRY(readKinds(keys, vocabulary));
    auto merges = keys.texts("tokenizer.ggml.merges");
    FOVEA_TRY(merges);
    vocabulary.merges = std::move(*merges);
    FOVEA_TRY(readSpecialIds(keys, vocabulary, warnings));
    FOVEA_TRY(readRules(keys, vocabulary));
    stripAfterPhi3Tokens(keys, vocabulary);
    return vocabulary;
}

} // namespace fovea
