// Llama (Touvron et al., 2023, 2302.13971) and all that share its architecture: Llama 2 and 3, TinyLlama,
// SmolLM2, Mistral 7B, DeepSeek-R1-Distill-Llama. Llama 3 divides the low frequencies of the rotation by
// factors, which GGUF stores as the tensor rope_freqs.
#include "core/model/families/Common.h"

namespace fovea::families {

namespace {

constexpr std::string_view kArchitectures[] = {"llama"};
constexpr std::string_view kModelTypes[] = {"llama", "mistral"};

Result<ModelShape> fromGguf(const Settings& metadata, const std::string& architecture) {
    auto shape = ggufDecoder(metadata, architecture);
    FOVEA_TRY(shape);
    const auto window = ggufWindow(metadata, architecture); // Mistral; its converter usually leaves it out
    FOVEA_TRY(window);
    shape->everyLayer.window = *window;
    return shape;
}

Result<ModelShape> fromConfig(const Settings& config) {
    auto shape = configDecoder(config);
    FOVEA_TRY(shape);
    for (const char* key : {"attention_bias", "mlp_bias"})
        FOVEA_TRY(requireFalse(config, key, *shape));
    // Mistral 7B v0.1 was trained with a window; later versions say null.
    const auto window = config.integer("sliding_window", 0, std::int64_t{1} << 24, 0);
    FOVEA_TRY(window);
    shape->everyLayer.window = static_cast<int>(*window);
    return shape;
}

std::vector<TensorRow> tensors() {
    std::vector<TensorRow> rows = decoderTensors(Convention::GgufRowPairs);
    append(rows, {{Place::RopeFactors, "rope_freqs.weight", {}, true}});
    return rows;
}

} // namespace

extern const Family llama;
constinit const Family llama{kArchitectures, kModelTypes, fromGguf, fromConfig, tensors, kDecoderPrefixes};

} // namespace fovea::families
