#include "core/files/JsonSettings.h"
#include "core/files/Quote.h"
#include "core/files/TokenizerJson.h"
#include "core/model/OpenedModel.h"

namespace fovea {

namespace {

/// 1_Pooling/config.json of the sentence-transformers library: one switch for each way of pooling. Without
/// the file it is the mean, which that library takes, too.
Result<SentencePooling> readPooling(const std::optional<JsonTree>& file) {
    if (!file)
        return SentencePooling::Mean;
    const JsonSettings settings(*file);
    const auto mean = settings.boolean("pooling_mode_mean_tokens", false);
    FOVEA_TRY(mean);
    const auto first = settings.boolean("pooling_mode_cls_token", false);
    FOVEA_TRY(first);
    bool other = false;
    for (const char* key : {"pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens",
                            "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"}) {
        const auto is = settings.boolean(key, false);
        FOVEA_TRY(is);
        other = other || *is;
    }
    if (other || *mean == *first)
        return fail(ErrorCode::Unsupported,
                    "the sentence vector is pooled in another way than one that runs; either "
                    "pooling_mode_mean_tokens or pooling_mode_cls_token true is accepted");
    return *first ? SentencePooling::First : SentencePooling::Mean;
}

} // namespace

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
    if (!header.shape.predictsTokens()) {
        const auto pooling = readPooling(folder.pooling);
        if (!pooling)
            return fail(pooling.error().code, "1_Pooling/config.json: " + pooling.error().message);
        header.shape.pooling = *pooling;
    }
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
