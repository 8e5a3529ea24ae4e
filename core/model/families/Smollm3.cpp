// SmolLM3 (Hugging Face, 2025): Llama without rotation in every fourth layer (NoPE: Yang et al., 2025,
// 2501.18795).
#include "core/model/families/Common.h"

namespace fovea::families {

namespace {

constexpr std::string_view kNames[] = {"smollm3"};
constexpr int kUnrotated = 4;

Result<ModelShape> fromGguf(const Settings& metadata, const std::string& architecture) {
    auto shape = ggufDecoder(metadata, architecture);
    FOVEA_TRY(shape);
    FOVEA_TRY(ggufNoWindow(metadata, architecture));
    for (int l = kUnrotated - 1; l < shape->layers; l += kUnrotated)
        shape->ownLayer(l).rotated = false;
    return shape;
}

Result<ModelShape> fromConfig(const Settings& config) {
    auto shape = configDecoder(config, true, 2e6);
    FOVEA_TRY(shape);
    for (const char* key : {"attention_bias", "mlp_bias", "use_sliding_window"})
        FOVEA_TRY(requireFalse(config, key, *shape));
    if (!config.has("no_rope_layers")) {
        const auto interval = config.integer("no_rope_layer_interval", 1, 512, kUnrotated);
        FOVEA_TRY(interval);
        const auto every = static_cast<int>(*interval);
        for (int l = every - 1; l < shape->layers; l += every)
            shape->ownLayer(l).rotated = false;
        return shape;
    }
    const auto rotated = config.integers("no_rope_layers"); // 1: with rotation
    FOVEA_TRY(rotated);
    if (rotated->size() != static_cast<std::size_t>(shape->layers))
        return fail(ErrorCode::Inconsistent, "no_rope_layers has " + std::to_string(rotated->size()) +
                                                 " entries; " + std::to_string(shape->layers) +
                                                 ", one per layer, are accepted");
    for (int l = 0; l < shape->layers; ++l)
        shape->ownLayer(l).rotated = (*rotated)[static_cast<std::size_t>(l)] != 0;
    return shape;
}

/// The converter treats it as a Llama model: rows of q and k come in pairs.
std::vector<TensorRow> tensors() {
    return decoderTensors(Convention::GgufRowPairs);
}

} // namespace

extern const Family smollm3;
constinit const Family smollm3{kNames, kNames, fromGguf, fromConfig, tensors, kDecoderPrefixes};

} // namespace fovea::families
