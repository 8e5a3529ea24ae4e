#include "core/model/ModelHeader.h"
#include "core/files/GgufKeys.h"
#include "core/files/GgufTensors.h"
#include "core/files/GgufVocabulary.h"
#include "core/files/Quote.h"
#include <algorithm>
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
    const auto architecture = keys.text("general.architecture");
    FOVEA_TRY(architecture);
    const Family* family = familyOfArchitecture(*architecture);
    if (family == nullptr)
        return fail(ErrorCode::Unsupported, "general.architecture is " + inQuotes(*architecture) +
                                                "; this version runs " + architectureList());
    return family;
}

} // namespace

void describeTensors(std::span<const StoredTensor> tensors, ModelInfo& info) {
    std::map<std::string, int> types;
    for (const StoredTensor& tensor : tensors) {
        const TensorTypeInfo& type = tensorTypeInfo(tensor.type);
        ++types[std::string(type.name)];
        info.parameters += tensor.bytes / type.bytes * type.values;
    }
    info.tensorTypes.assign(types.begin(), types.end());
    std::stable_sort(info.tensorTypes.begin(), info.tensorTypes.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
}

Result<ModelHeader> readModelHeader(const ByteSource& source, const WorkContext& work) {
    auto gguf = readGguf(source, work);
    FOVEA_TRY(gguf);
    const auto split = GgufKeys(*gguf).integer("split.count", 0, 65'535, 1);
    FOVEA_TRY(split);
    if (*split > 1)
        return fail(ErrorCode::Unsupported,
                    "split.count is " + std::to_string(*split) +
                        ": this is one part of a split model; all its files are needed");
    return readModelHeader(std::move(*gguf));
}

Result<ModelHeader> readModelHeader(Gguf gguf) {
    ModelHeader header;
    header.gguf = std::move(gguf);
    const GgufKeys keys(header.gguf);
    const auto family = runnableFamily(keys);
    FOVEA_TRY(family);
    header.family = *family;
    const std::string architecture = keys.text("general.architecture").value_or("");
    auto shape = header.family->fromGguf(keys, architecture);
    FOVEA_TRY(shape);
    header.shape = std::move(*shape);
    std::vector<std::string> warnings = header.gguf.warnings;
    auto vocabulary = readGgufVocabulary(keys, warnings);
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
    const std::vector<StoredTensor> tensors = storedTensors(header.gguf);
    auto parts = placeTensors(tensors, TensorNames::Gguf, *header.family, header.shape);
    FOVEA_TRY(parts);
    header.parts = std::move(*parts);

    // Needed for --template chat alone: one that cannot be read is as good as none.
    header.chatTemplate = keys.text("tokenizer.chat_template", "").value_or("");
    const auto name = keys.text("general.name", "");
    FOVEA_TRY(name);
    header.info.name = quoteForMessage(*name);
    header.info.formatVersion = header.gguf.version;
    header.info.warnings = std::move(warnings);
    describeTensors(tensors, header.info);
    return header;
}

} // namespace fovea
