// Phi-3, Phi-3.5 and Phi-4-mini (2404.14219, 2503.01743): Llama with q, k and v in one matrix and gate and up
// in another, often a window in every layer, and LongRoPE (Ding et al., 2024, 2402.13753): two sets of
// divisors of the frequencies, one for texts up to the length of the first training and one for longer
// texts. The length of the text chooses between them.
#include "core/files/Quote.h"
#include "core/model/families/Common.h"
#include <cmath>

namespace fovea::families {

namespace {

constexpr std::string_view kNames[] = {"phi3"};
constexpr std::int64_t kMostTokens = std::int64_t{1} << 24;

Result<ModelShape> fromGguf(const Settings& metadata, const std::string& architecture) {
    auto shape = ggufDecoder(metadata, architecture, true);
    FOVEA_TRY(shape);
    const auto window = ggufWindow(metadata, architecture);
    FOVEA_TRY(window);
    shape->everyLayer.window = *window;
    const std::string at = architecture + ".rope.scaling.";
    FOVEA_TRY(assign(shape->ropeContext,
                     metadata.integer(at + "original_context_length", 2, kMostTokens, shape->context)));
    const auto magnitude = metadata.real(at + "attn_factor", 0, 100, 1, true);
    FOVEA_TRY(magnitude);
    shape->ropeMagnitude = static_cast<float>(*magnitude);
    return shape;
}

Result<std::vector<float>> factors(const Settings& config, const std::string& key, const ModelShape& shape) {
    const auto numbers = config.reals(key);
    FOVEA_TRY(numbers);
    const auto expected = static_cast<std::size_t>(shape.rotaryDim()) / 2;
    if (numbers->size() != expected)
        return fail(ErrorCode::Inconsistent, key + " has " + std::to_string(numbers->size()) + " numbers; " +
                                                 std::to_string(expected) +
                                                 ", half of those that are rotated, are accepted");
    std::vector<float> all;
    for (const double number : *numbers) {
        if (!(number > 0 && number < 1e9))
            return fail(ErrorCode::Inconsistent,
                        key + " holds " + std::to_string(number) + "; numbers above 0 are accepted");
        all.push_back(static_cast<float>(number));
    }
    return all;
}

Result<> readLongRope(const Settings& config, ModelShape& shape) {
    std::string at = "rope_scaling.";
    if (config.has("rope_parameters.long_factor"))
        at = "rope_parameters.";
    const auto type = config.text(at + (config.has(at + "rope_type") ? "rope_type" : "type"), "default");
    FOVEA_TRY(type);
    if (!config.has(at + "long_factor") && *type != "longrope" && *type != "su")
        return {}; // without its factors LongRoPE is refused below
    const std::string context = "original_max_position_embeddings";
    FOVEA_TRY(assign(shape.ropeContext, config.integer(config.has(at + context) ? at + context : context, 2,
                                                       kMostTokens, shape.context)));
    auto shortFactors = factors(config, at + "short_factor", shape);
    FOVEA_TRY(shortFactors);
    auto longFactors = factors(config, at + "long_factor", shape);
    FOVEA_TRY(longFactors);
    shape.ropeFactors = std::move(*shortFactors);
    shape.longRopeFactors = std::move(*longFactors);
    const double ratio = static_cast<double>(shape.context) / static_cast<double>(shape.ropeContext);
    const double usual =
        ratio > 1 ? std::sqrt(1 + std::log(ratio) / std::log(static_cast<double>(shape.ropeContext))) : 1;
    const auto magnitude = config.real(at + "attention_factor", 0, 100, usual, true);
    FOVEA_TRY(magnitude);
    shape.ropeMagnitude = static_cast<float>(*magnitude);
    return {};
}

Result<ModelShape> fromConfig(const Settings& config) {
    auto shape = configDecoder(config, false, 10000, true);
    FOVEA_TRY(shape);
    FOVEA_TRY(requireFalse(config, "attention_bias", *shape));
    FOVEA_TRY(readLongRope(config, *shape));
    const auto window = config.integer("sliding_window", 0, kMostTokens, 0);
    FOVEA_TRY(window);
    shape->everyLayer.window = static_cast<int>(*window);
    return shape;
}

std::vector<TensorRow> tensors() {
    std::vector<TensorRow> rows = outerTensors();
    append(rows,
           {{Place::RopeFactors, "rope_factors_short.weight", {}, true},
            {Place::LongRopeFactors, "rope_factors_long.weight", {}, true},
            {Place::AttentionNorm, "blk.*.attn_norm.weight", "layers.*.input_layernorm.weight"},
            {Place::FeedForwardNorm, "blk.*.ffn_norm.weight", "layers.*.post_attention_layernorm.weight"},
            {Place::Qkv, "blk.*.attn_qkv.weight", "layers.*.self_attn.qkv_proj.weight"},
            {Place::AttentionOutput, "blk.*.attn_output.weight", "layers.*.self_attn.o_proj.weight"},
            {Place::GateUp, "blk.*.ffn_up.weight", "layers.*.mlp.gate_up_proj.weight"},
            {Place::Down, "blk.*.ffn_down.weight", "layers.*.mlp.down_proj.weight"}});
    return rows;
}

} // namespace

extern const Family phi3;
constinit const Family phi3{kNames, kNames, fromGguf, fromConfig, tensors, kDecoderPrefixes};

} // namespace fovea::families
