#include "core/model/ModelHeader.h"
#include "core/files/GgufKeys.h"
#include "core/files/GgufTensors.h"
#include "core/files/Quote.h"
#include <algorithm>
#include <cmath>
#include <map>

namespace fovea {

namespace {

/// The family of a model that this program runs.
Result<const Family*> runnableFamily(const GgufKeys& keys) {
    const auto type = keys.text("general.type", "model");
    FOVEA_TRY(type);
    if (*type != "model")
        return fail(ErrorCode::Unsupported,
                    "general.type is " + inQuotes(*type) + "; Fovea runs models, not adapters or projectors");
    const auto split = keys.integer("split.count", 0, 65'535, 1);
    FOVEA_TRY(split);
    if (*split > 1)
        return fail(ErrorCode::Unsupported,
                    "split.count is " + std::to_string(*split) +
                        ": this is one part of a split model; merge the parts into one file");
    const auto architecture = keys.text("general.architecture");
    FOVEA_TRY(architecture);
    const Family* family = familyOfArchitecture(*architecture);
    if (family == nullptr)
        return fail(ErrorCode::Unsupported, "general.architecture is " + inQuotes(*architecture) +
                                                "; this version runs " + architectureList());
    return family;
}

Result<> requireCount(const GgufKeys& keys, const std::string& key, std::size_t found, std::size_t tokens) {
    if (!keys.has(key) || found == tokens)
        return {};
    return fail(ErrorCode::Inconsistent, key + " has " + std::to_string(found) +
                                             " entries and tokenizer.ggml.tokens has " +
                                             std::to_string(tokens) + "; equal counts are accepted");
}

/// A token that is to be added and has no id is not added, and `warnings` says so.
Result<> readSpecialIds(const GgufKeys& keys, Vocabulary& vocabulary, std::vector<std::string>& warnings) {
    const auto last = static_cast<std::int64_t>(vocabulary.tokens.size()) - 1;
    const auto id = [&](const std::string& name, std::int64_t fallback) {
        return keys.integer("tokenizer.ggml." + name + "_token_id", 0, last,
                            fallback <= last ? fallback : -1);
    };
    const bool sentencePiece = vocabulary.model == "llama";
    // A SentencePiece vocabulary has these ids by convention; a byte-level one has none but those it names.
    const auto bos = id("bos", sentencePiece ? 1 : -1);
    FOVEA_TRY(bos);
    const auto eos = id("eos", sentencePiece ? 2 : -1);
    FOVEA_TRY(eos);
    const auto unknown = id("unknown", sentencePiece ? 0 : -1);
    FOVEA_TRY(unknown);
    const auto padding = id("padding", -1);
    FOVEA_TRY(padding);
    vocabulary.bos = *bos;
    vocabulary.eos = *eos;
    vocabulary.unknown = *unknown;
    vocabulary.padding = *padding;
    const auto addBos = keys.boolean("tokenizer.ggml.add_bos_token", sentencePiece);
    FOVEA_TRY(addBos);
    const auto addEos = keys.boolean("tokenizer.ggml.add_eos_token", false);
    FOVEA_TRY(addEos);
    const auto added = [&](bool wanted, std::int64_t token, const std::string& name, const char* place) {
        if (wanted && token < 0)
            warnings.push_back("tokenizer.ggml.add_" + name + "_token is true and tokenizer.ggml." + name +
                               "_token_id is missing: no token is put " + place + " a text.");
        return wanted && token >= 0;
    };
    vocabulary.addBos = added(*addBos, vocabulary.bos, "bos", "before");
    vocabulary.addEos = added(*addEos, vocabulary.eos, "eos", "after");
    return {};
}

Result<Vocabulary> readVocabulary(const GgufKeys& keys, std::vector<std::string>& warnings) {
    Vocabulary vocabulary;
    const auto model = keys.text("tokenizer.ggml.model");
    FOVEA_TRY(model);
    vocabulary.model = *model;
    const auto pre = keys.text("tokenizer.ggml.pre", "");
    FOVEA_TRY(pre);
    vocabulary.pre = *pre;
    auto tokens = keys.texts("tokenizer.ggml.tokens");
    FOVEA_TRY(tokens);
    if (tokens->empty())
        return fail(ErrorCode::Inconsistent, "tokenizer.ggml.tokens has 0 entries; at least 1 is needed");
    vocabulary.tokens = std::move(*tokens);

    const auto scores = keys.reals("tokenizer.ggml.scores");
    FOVEA_TRY(scores);
    FOVEA_TRY(requireCount(keys, "tokenizer.ggml.scores", scores->size(), vocabulary.tokens.size()));
    const auto bad = std::find_if(scores->begin(), scores->end(), [](double s) { return !std::isfinite(s); });
    if (bad != scores->end())
        return fail(ErrorCode::Inconsistent, "tokenizer.ggml.scores holds " + std::to_string(*bad) +
                                                 " for token " + std::to_string(bad - scores->begin()) +
                                                 "; finite numbers are accepted");

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
    auto merges = keys.texts("tokenizer.ggml.merges");
    FOVEA_TRY(merges);
    vocabulary.merges = std::move(*merges);
    FOVEA_TRY(readSpecialIds(keys, vocabulary, warnings));
    return vocabulary;
}

void describeTensors(const Gguf& gguf, ModelInfo& info) {
    std::map<std::string, int> types;
    for (const auto& tensor : gguf.tensors) {
        ++types[std::string(tensorTypeInfo(tensor.type).name)];
        info.parameters += tensor.elements();
    }
    info.tensorTypes.assign(types.begin(), types.end());
    std::stable_sort(info.tensorTypes.begin(), info.tensorTypes.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
}

} // namespace

Result<ModelHeader> readModelHeader(const ByteSource& source, const WorkContext& work) {
    ModelHeader header;
    auto gguf = readGguf(source, work);
    FOVEA_TRY(gguf);
    header.gguf = std::move(*gguf);
    const GgufKeys keys(header.gguf);
    const auto family = runnableFamily(keys);
    FOVEA_TRY(family);
    header.family = *family;
    const std::string architecture = keys.text("general.architecture").value_or("");
    auto shape = header.family->fromGguf(keys, architecture);
    FOVEA_TRY(shape);
    header.shape = std::move(*shape);
    std::vector<std::string> warnings = header.gguf.warnings;
    auto vocabulary = readVocabulary(keys, warnings);
    FOVEA_TRY(vocabulary);
    header.vocabulary = std::move(*vocabulary);
    const auto tokens = static_cast<std::int64_t>(header.vocabulary.tokens.size());
    const std::string vocabularyKey = architecture + ".vocab_size";
    const auto said = keys.integer(vocabularyKey, 1, std::int64_t{1} << 24, tokens);
    FOVEA_TRY(said);
    if (*said != tokens)
        return fail(ErrorCode::Inconsistent, vocabularyKey + " is " + std::to_string(*said) +
                                                 " and tokenizer.ggml.tokens has " + std::to_string(tokens) +
                                                 " entries; equal numbers are accepted");
    header.shape.vocabulary = static_cast<int>(tokens);
    auto parts = placeTensors(storedTensors(header.gguf), TensorNames::Gguf, *header.family, header.shape);
    FOVEA_TRY(parts);
    header.parts = std::move(*parts);

    // Needed for --template chat alone: one that cannot be read is as good as none.
    header.chatTemplate = keys.text("tokenizer.chat_template", "").value_or("");
    const auto name = keys.text("general.name", "");
    FOVEA_TRY(name);
    header.info.name = quoteForMessage(*name);
    header.info.formatVersion = header.gguf.version;
    header.info.warnings = std::move(warnings);
    describeTensors(header.gguf, header.info);
    return header;
}

} // namespace fovea
