// BERT (Devlin et al., 2018, 1810.04805) and sentence encoders of its form, such as all-MiniLM-L6-v2. A token
// reads the whole text. The sum after each branch is normed; there is no norm before a branch or at the end.
#include "core/files/Quote.h"
#include "core/model/families/Common.h"

namespace fovea::families {

namespace {

constexpr std::string_view kNames[] = {"bert"};
constexpr std::string_view kPrefixes[] = {"bert.", "", "model."};

void setForm(ModelShape& shape) {
    shape.causal = false;
    shape.norm = NormKind::Layer;
    shape.normsBefore = false;
    shape.normsOfSum = true;
    shape.finalNorm = false;
    shape.embeddingNorm = true;
    shape.positions = PositionKind::Learned;
    shape.activation = Activation::GeluErf;
    shape.gated = false;
    shape.qkvBias = shape.outputBias = shape.feedForwardBias = true;
}

Result<ModelShape> fromGguf(const Settings& metadata, const std::string& architecture) {
    auto shape = ggufShape(metadata, architecture, NormKind::Layer);
    FOVEA_TRY(shape);
    FOVEA_TRY(ggufNoWindow(metadata, architecture));
    const std::string key = architecture + ".attention.causal";
    const auto causal = metadata.boolean(key, false);
    FOVEA_TRY(causal);
    if (*causal)
        return doesNotRun(key, "true", "false runs in a bert model");
    FOVEA_TRY(assign(shape->tokenTypes, metadata.integer("tokenizer.ggml.token_type_count", 1, 65'536, 2)));
    setForm(*shape);
    const auto pooling = metadata.integer(architecture + ".pooling_type", 0, 4, 0);
    FOVEA_TRY(pooling);
    if (*pooling > 2)
        return doesNotRun(architecture + ".pooling_type", std::to_string(*pooling),
                          "0 (none: here the mean), 1 (mean) and 2 (first token) run");
    shape->pooling = *pooling == 2 ? SentencePooling::First : SentencePooling::Mean;
    return shape;
}

Result<ModelShape> fromConfig(const Settings& config) {
    auto shape = configShape(config);
    FOVEA_TRY(shape);
    const auto epsilon = config.real("layer_norm_eps", 0, 0.01, 1e-12, true);
    FOVEA_TRY(epsilon);
    shape->normEpsilon = static_cast<float>(*epsilon);
    FOVEA_TRY(assign(shape->tokenTypes, config.integer("type_vocab_size", 1, 65'536, 2)));
    setForm(*shape);
    FOVEA_TRY(configActivation(config, "hidden_act", *shape));
    const auto positions = config.text("position_embedding_type", "absolute");
    FOVEA_TRY(positions);
    if (*positions != "absolute")
        return doesNotRun("position_embedding_type", inQuotes(*positions), "absolute runs");
    FOVEA_TRY(requireFalse(config, "is_decoder", *shape));
    return shape;
}

std::vector<TensorRow> tensors() {
    return {
        {Place::TokenEmbedding, "token_embd.weight", "embeddings.word_embeddings.weight"},
        {Place::PositionEmbedding, "position_embd.weight", "embeddings.position_embeddings.weight"},
        {Place::TypeEmbedding, "token_types.weight", "embeddings.token_type_embeddings.weight"},
        {Place::EmbeddingNorm, "token_embd_norm.weight", "embeddings.LayerNorm.weight"},
        {Place::EmbeddingNormBias, "token_embd_norm.bias", "embeddings.LayerNorm.bias"},
        {Place::Query, "blk.*.attn_q.weight", "encoder.layer.*.attention.self.query.weight"},
        {Place::QueryBias, "blk.*.attn_q.bias", "encoder.layer.*.attention.self.query.bias"},
        {Place::Key, "blk.*.attn_k.weight", "encoder.layer.*.attention.self.key.weight"},
        {Place::KeyBias, "blk.*.attn_k.bias", "encoder.layer.*.attention.self.key.bias"},
        {Place::Value, "blk.*.attn_v.weight", "encoder.layer.*.attention.self.value.weight"},
        {Place::ValueBias, "blk.*.attn_v.bias", "encoder.layer.*.attention.self.value.bias"},
        {Place::AttentionOutput, "blk.*.attn_output.weight", "encoder.layer.*.attention.output.dense.weight"},
        {Place::AttentionOutputBias, "blk.*.attn_output.bias", "encoder.layer.*.attention.output.dense.bias"},
        {Place::AfterAttentionNorm, "blk.*.attn_output_norm.weight",
         "encoder.layer.*.attention.output.LayerNorm.weight"},
        {Place::AfterAttentionNormBias, "blk.*.attn_output_norm.bias",
         "encoder.layer.*.attention.output.LayerNorm.bias"},
        {Place::Up, "blk.*.ffn_up.weight", "encoder.layer.*.intermediate.dense.weight"},
        {Place::UpBias, "blk.*.ffn_up.bias", "encoder.layer.*.intermediate.dense.bias"},
        {Place::Down, "blk.*.ffn_down.weight", "encoder.layer.*.output.dense.weight"},
        {Place::DownBias, "blk.*.ffn_down.bias", "encoder.layer.*.output.dense.bias"},
        {Place::AfterFeedForwardNorm, "blk.*.layer_output_norm.weight",
         "encoder.layer.*.output.LayerNorm.weight"},
        {Place::AfterFeedForwardNormBias, "blk.*.layer_output_norm.bias",
         "encoder.layer.*.output.LayerNorm.bias"},
    };
}

} // namespace

extern const Family bert;
constinit const Family bert{kNames, kNames, fromGguf, fromConfig, tensors, kPrefixes};

} // namespace fovea::families
