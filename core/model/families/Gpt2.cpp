// GPT-2 (Radford et al., 2019): learned positions, layer norms with biases before the branches, biases
// everywhere, and a feed-forward network without a gate.
#include "core/model/families/Common.h"

namespace fovea::families {

namespace {

constexpr std::string_view kNames[] = {"gpt2"};
constexpr std::string_view kPrefixes[] = {"transformer.", ""};

void setForm(ModelShape& shape) {
    shape.norm = NormKind::Layer;
    shape.positions = PositionKind::Learned;
    shape.activation = Activation::GeluTanh;
    shape.gated = false;
    shape.qkvBias = shape.outputBias = shape.feedForwardBias = true;
}

Result<ModelShape> fromGguf(const Settings& metadata, const std::string& architecture) {
    auto shape = ggufShape(metadata, architecture, NormKind::Layer);
    FOVEA_TRY(shape);
    FOVEA_TRY(ggufNoWindow(metadata, architecture));
    setForm(*shape);
    return shape;
}

Result<ModelShape> fromConfig(const Settings& config) {
    ModelShape shape;
    shape.family = "gpt2";
    FOVEA_TRY(assign(shape.layers, config.integer("n_layer", 1, 512)));
    FOVEA_TRY(assign(shape.width, config.integer("n_embd", 1, 65'536)));
    FOVEA_TRY(assign(shape.heads, config.integer("n_head", 1, 1024)));
    FOVEA_TRY(
        assign(shape.feedForward, config.integer("n_inner", 1, 1'048'576, std::int64_t{4} * shape.width)));
    FOVEA_TRY(assign(shape.context, config.integer(config.has("n_positions") ? "n_positions" : "n_ctx", 1,
                                                   std::int64_t{1} << 24)));
    FOVEA_TRY(assign(shape.vocabulary, config.integer("vocab_size", 1, std::int64_t{1} << 24)));
    if (shape.width % shape.heads != 0)
        return fail(ErrorCode::Inconsistent, "n_head is " + std::to_string(shape.heads) +
                                                 "; a divisor of n_embd " + std::to_string(shape.width) +
                                                 " is accepted");
    shape.kvHeads = shape.heads;
    shape.headDim = shape.width / shape.heads;
    FOVEA_TRY(requireHeads(shape, "n_head", "n_embd / n_head"));
    const auto epsilon = config.real("layer_norm_epsilon", 0, 0.01, 1e-5, true);
    FOVEA_TRY(epsilon);
    shape.normEpsilon = static_cast<float>(*epsilon);
    setForm(shape);
    FOVEA_TRY(configActivation(config, "activation_function", shape));
    FOVEA_TRY(configTies(config, shape, true));
    for (const char* key : {"scale_attn_by_inverse_layer_idx", "add_cross_attention"})
        FOVEA_TRY(requireFalse(config, key, shape));
    const auto scaled = config.boolean("scale_attn_weights", true);
    FOVEA_TRY(scaled);
    shape.everyLayer.attentionScale = *scaled ? 0.0F : 1.0F;
    return shape;
}

std::vector<TensorRow> tensors() {
    constexpr Convention kConv1D = Convention::HuggingFaceTransposed;
    return {{Place::TokenEmbedding, "token_embd.weight", "wte.weight"},
            {Place::PositionEmbedding, "position_embd.weight", "wpe.weight"},
            {Place::Output, "output.weight", "lm_head.weight", true},
            {Place::OutputNorm, "output_norm.weight", "ln_f.weight"},
            {Place::OutputNormBias, "output_norm.bias", "ln_f.bias"},
            {Place::AttentionNorm, "blk.*.attn_norm.weight", "h.*.ln_1.weight"},
            {Place::AttentionNormBias, "blk.*.attn_norm.bias", "h.*.ln_1.bias"},
            {Place::Qkv, "blk.*.attn_qkv.weight", "h.*.attn.c_attn.weight", false, kConv1D},
            {Place::QkvBias, "blk.*.attn_qkv.bias", "h.*.attn.c_attn.bias"},
            {Place::AttentionOutput, "blk.*.attn_output.weight", "h.*.attn.c_proj.weight", false, kConv1D},
            {Place::AttentionOutputBias, "blk.*.attn_output.bias", "h.*.attn.c_proj.bias"},
            {Place::FeedForwardNorm, "blk.*.ffn_norm.weight", "h.*.ln_2.weight"},
            {Place::FeedForwardNormBias, "blk.*.ffn_norm.bias", "h.*.ln_2.bias"},
            {Place::Up, "blk.*.ffn_up.weight", "h.*.mlp.c_fc.weight", false, kConv1D},
            {Place::UpBias, "blk.*.ffn_up.bias", "h.*.mlp.c_fc.bias"},
            {Place::Down, "blk.*.ffn_down.weight", "h.*.mlp.c_proj.weight", false, kConv1D},
            {Place::DownBias, "blk.*.ffn_down.bias", "h.*.mlp.c_proj.bias"}};
}

} // namespace

extern const Family gpt2;
constinit const Family gpt2{kNames, kNames, fromGguf, fromConfig, tensors, kPrefixes};

} // namespace fovea::families
