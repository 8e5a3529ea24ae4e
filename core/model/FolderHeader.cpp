#include "core/files/JsonSettings.h"
#include "core/files/Quote.h"
#include "core/files/TokenizerJson.h"
#include "core/model/OpenedModel.h"

namespace fovea {

Result<ModelHeader> readFolderHeader(const ModelFolder& folder, const TensorSource& tensors,
                                     const WorkContext& work) {
    ModelHeader header;
    const JsonSettings config(folder.config);
    // A model of text and images keeps the settings of the text in `text_config`.
    const std::string typeKey =
        config.has("text_config.model_type") ? "text_config.model_type" : "model_type";
    const auto type = config.text(typeKey);
    if (!type)
        return fail(type.error().code, "config.json: " + type.error().message);
    header.family = familyOfModelType(*type);
    if (header.family == nullptr)
        return fail(ErrorCode::Unsupported, "config.json: " + typeKey + " is " + inQuotes(*type) +
                                                "; this version runs " + modelTypeList());
    auto shape = header.family->fromConfig(config);
    if (!shape)
        return fail(shape.error().code, "config.json: " + shape.error().message);
    header.shape = std::move(*shape);
    header.shape.family = header.family->architectures.front(); // one name, whatever the container
    auto parts = placeTensors(tensors.tensors(), TensorNames::HuggingFace, *header.family, header.shape);
    FOVEA_TRY(parts);
    header.parts = std::move(*parts);
    if (folder.tokenizer.empty())
        return fail(ErrorCode::Io,
                    quoteForMessage(folder.path) +
                        " holds no tokenizer.json; a folder with config.json, tokenizer.json and "
                        "safetensors is accepted");
    auto read = readTokenizerJson(folder.tokenizer,
                                  folder.tokenizerConfig ? &*folder.tokenizerConfig : nullptr, work);
    if (!read)
        return aboutFile("tokenizer.json", std::move(read).error());
    header.vocabulary = std::move(read->vocabulary);
    FOVEA_TRY(padVocabulary(header.vocabulary, static_cast<std::size_t>(header.shape.vocabulary)));
    header.chatTemplate = folder.chatTemplate.empty() ? std::move(read->chatTemplate) : folder.chatTemplate;
    header.info.warnings = std::move(read->warnings);
    describeTensors(tensors.tensors(), header.info);
    return header;
}

} // namespace fovea
