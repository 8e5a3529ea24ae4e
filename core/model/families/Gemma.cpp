// Gemma 2 (2408.00118) and Gemma 3 (2503.19786): hybrid by birth. Norms stand before and after both branches
// and multiply by 1 + w, the embedding is multiplied by sqrt(M), and the gate is GELU. Gemma 2 caps the
// logits of attention and of the vocabulary and gives every other layer a window, beginning with layer 0.
// Gemma 3 norms each head of q and k, lets one layer in six read everything, and rotates the other five with
// a base of their own.
#include "core/files/Quote.h"
#include "core/model/families/Common.h"
#include <cmath>

namespace fovea::families {

namespace {

constexpr std::string_view kGemma2[] = {"gemma2"};
constexpr std::string_view kGemma3[] = {"gemma3"};
constexpr std::string_view kGemma3Types[] = {"gemma3_text", "gemma3"};
constexpr std::string_view kPrefixes[] = {"model.", "", "language_model.model.", "model.language_model.",
                                          "language_model."};
constexpr std::int64_t kMostTokens = std::int64_t{1} << 24;

void setCommon(ModelShape& shape) {
    shape.normsAfter = true;
    shape.activation = Activation::GeluTanh;
    shape.embeddingScale = static_cast<float>(std::sqrt(static_cast<double>(shape.width)));
}

float powerMinusHalf(double x) {
    return static_cast<float>(1 / std::sqrt(x));
}

/// GGUF has no scale: it is 1/sqrt(D), in the 27B models 1/sqrt(M/H). Only the number of layers tells those.
void setScale(ModelShape& shape, int layersOf27B) {
    if (shape.layers == layersOf27B)
        shape.everyLayer.attentionScale =
            powerMinusHalf(static_cast<double>(shape.width) / static_cast<double>(shape.heads));
}

Result<> configScale(const Settings& config, ModelShape& shape) {
    const auto scalar =
        config.real(configKey(config, "query_pre_attn_scalar"), 0, 65'536, static_cast<double>(256), true);
    FOVEA_TRY(scalar);
    shape.everyLayer.attentionScale = powerMinusHalf(*scalar);
    return {};
}

/// Gives every layer that is not global the window.
void setWindows(ModelShape& shape, int window, const std::vector<bool>& global) {
    for (int l = 0; l < shape.layers; ++l)
        shape.ownLayer(l).window = global[static_cast<std::size_t>(l)] ? 0 : window;
}

/// The last of every `pattern` layers is global.
std::vector<bool> everyNth(const ModelShape& shape, std::int64_t pattern) {
    std::vector<bool> global;
    for (int l = 0; l < shape.layers; ++l)
        global.push_back((l + 1) % pattern == 0);
    return global;
}

/// `layer_types`, or the last of every `pattern` layers.
Result<std::vector<bool>> configGlobal(const Settings& config, const ModelShape& shape,
                                       std::int64_t pattern) {
    const std::string key = configKey(config, "layer_types");
    if (!config.has(key))
        return everyNth(shape, pattern);
    const auto types = config.texts(key);
    FOVEA_TRY(types);
    if (types->size() != static_cast<std::size_t>(shape.layers))
        return fail(ErrorCode::Inconsistent, "layer_types has " + std::to_string(types->size()) +
                                                 " entries; " + std::to_string(shape.layers) +
                                                 ", one per layer, are accepted");
    std::vector<bool> global;
    for (const std::string& type : *types) {
        if (type != "full_attention" && type != "sliding_attention")
            return doesNotRun("layer_types", inQuotes(type), "full_attention and sliding_attention run");
        global.push_back(type == "full_attention");
    }
    return global;
}

/// A soft-cap; a missing one is `fallback`, and 0 is none.
Result<float> softCap(const Settings& settings, const std::string& key, double fallback) {
    const auto cap = settings.real(key, 0, 1e6, fallback);
    FOVEA_TRY(cap);
    return static_cast<float>(*cap);
}

// ---- Gemma 2 ----

Result<ModelShape> gguf2(const Settings& metadata, const std::string& architecture) {
    auto shape = ggufDecoder(metadata, architecture);
    FOVEA_TRY(shape);
    setCommon(*shape);
    setScale(*shape, 46);
    const auto attention = softCap(metadata, architecture + ".attn_logit_softcapping", 50);
    FOVEA_TRY(attention);
    shape->everyLayer.softCap = *attention;
    const auto last = softCap(metadata, architecture + ".final_logit_softcapping", 30);
    FOVEA_TRY(last);
    shape->finalSoftCap = *last;
    const auto window = metadata.integer(architecture + ".attention.sliding_window", 1, kMostTokens, 4096);
    FOVEA_TRY(window);
    setWindows(*shape, static_cast<int>(*window), everyNth(*shape, 2));
    return shape;
}

Result<ModelShape> config2(const Settings& config) {
    auto shape = configShape(config);
    FOVEA_TRY(shape);
    FOVEA_TRY(configRope(config, *shape));
    FOVEA_TRY(configTies(config, *shape, true));
    setCommon(*shape);
    FOVEA_TRY(configActivation(config, config.has("hidden_activation") ? "hidden_activation" : "hidden_act",
                               *shape));
    FOVEA_TRY(configScale(config, *shape));
    // null, which counts as missing, means none.
    const auto attention = softCap(config, "attn_logit_softcapping", 0);
    FOVEA_TRY(attention);
    shape->everyLayer.softCap = *attention;
    const auto last = softCap(config, "final_logit_softcapping", 0);
    FOVEA_TRY(last);
    shape->finalSoftCap = *last;
    const auto window = config.integer("sliding_window", 1, kMostTokens, 4096);
    FOVEA_TRY(window);
    const auto global = configGlobal(config, *shape, 2);
    FOVEA_TRY(global);
    setWindows(*shape, static_cast<int>(*window), *global);
    return shape;
}

// ---- Gemma 3 ----

/// Layers with a window rotate by `base` without scaling.
void rotateLocally(ModelShape& shape, double base) {
    for (int l = 0; l < shape.layers; ++l)
        if (shape.layer(l).window > 0) {
            shape.ownLayer(l).ropeBase = base;
            shape.ownLayer(l).ropeFactor = 1;
        }
}

/// The pattern is a number, or one truth value per layer: true has a window. Without it, one layer in six
/// reads everything.
Result<std::vector<bool>> ggufGlobal(const Settings& metadata, const std::string& key,
                                     const ModelShape& shape) {
    if (!metadata.isArray(key)) {
        const auto pattern = metadata.integer(key, 1, 512, 6);
        FOVEA_TRY(pattern);
        return everyNth(shape, *pattern);
    }
    const auto windowed = metadata.integers(key);
    FOVEA_TRY(windowed);
    if (windowed->size() != static_cast<std::size_t>(shape.layers))
        return fail(ErrorCode::Inconsistent, key + " has " + std::to_string(windowed->size()) +
                                                 " entries; a number, or " + std::to_string(shape.layers) +
                                                 " entries, one per layer, are accepted");
    std::vector<bool> global;
    for (const std::int64_t one : *windowed)
        global.push_back(one == 0);
    return global;
}

Result<ModelShape> gguf3(const Settings& metadata, const std::string& architecture) {
    auto shape = ggufDecoder(metadata, architecture);
    FOVEA_TRY(shape);
    setCommon(*shape);
    shape->qkNorm = QkNorm::Head;
    setScale(*shape, 62);
    const auto last = softCap(metadata, architecture + ".final_logit_softcapping", 0);
    FOVEA_TRY(last);
    shape->finalSoftCap = *last;
    const auto window = metadata.integer(architecture + ".attention.sliding_window", 1, kMostTokens);
    FOVEA_TRY(window);
    const auto global = ggufGlobal(metadata, architecture + ".attention.sliding_window_pattern", *shape);
    FOVEA_TRY(global);
    setWindows(*shape, static_cast<int>(*window), *global);
    const auto base = metadata.real(architecture + ".rope.freq_base_swa", 1, 1e12, 10000);
    FOVEA_TRY(base);
    rotateLocally(*shape, *base);
    return shape;
}

Result<ModelShape> config3(const Settings& config) {
    const auto key = [&](const char* name) { return configKey(config, name); };
    auto shape = configShape(config);
    FOVEA_TRY(shape);
    FOVEA_TRY(configRope(config, *shape, 1e6,
                         config.has(key("rope_parameters.full_attention.rope_theta"))
                             ? "rope_parameters.full_attention"
                             : "rope_parameters"));
    FOVEA_TRY(configTies(config, *shape, true));
    setCommon(*shape);
    FOVEA_TRY(requireFalse(config, key("use_bidirectional_attention"), *shape)); // EmbeddingGemma
    FOVEA_TRY(configActivation(config, key("hidden_activation"), *shape));
    shape->qkNorm = QkNorm::Head;
    FOVEA_TRY(configScale(config, *shape));
    const auto attention = softCap(config, key("attn_logit_softcapping"), 0);
    FOVEA_TRY(attention);
    shape->everyLayer.softCap = *attention;
    const auto last = softCap(config, key("final_logit_softcapping"), 0);
    FOVEA_TRY(last);
    shape->finalSoftCap = *last;
    const auto window = config.integer(key("sliding_window"), 1, kMostTokens, 4096);
    FOVEA_TRY(window);
    const auto pattern = config.integer(key("sliding_window_pattern"), 1, 512, 6);
    FOVEA_TRY(pattern);
    const auto global = configGlobal(config, *shape, *pattern);
    FOVEA_TRY(global);
    setWindows(*shape, static_cast<int>(*window), *global);
    const std::string newBase = key("rope_parameters.sliding_attention.rope_theta");
    const auto base =
        config.real(config.has(newBase) ? newBase : key("rope_local_base_freq"), 1, 1e12, 10000);
    FOVEA_TRY(base);
    rotateLocally(*shape, *base);
    return shape;
}

// ---- Tensors ----

std::vector<TensorRow> tensors2() {
    constexpr Convention kNorm = Convention::HuggingFacePlusOne;
    std::vector<TensorRow> rows = outerTensors(kNorm);
    append(rows,
           {{Place::AttentionNorm, "blk.*.attn_norm.weight", "layers.*.input_layernorm.weight", false, kNorm},
            {Place::AfterAttentionNorm, "blk.*.post_attention_norm.weight",
             "layers.*.post_attention_layernorm.weight", false, kNorm},
            {Place::FeedForwardNorm, "blk.*.ffn_norm.weight", "layers.*.pre_feedforward_layernorm.weight",
             false, kNorm},
            {Place::AfterFeedForwardNorm, "blk.*.post_ffw_norm.weight",
             "layers.*.post_feedforward_layernorm.weight", false, kNorm}});
    append(rows, branchTensors());
    return rows;
}

std::vector<TensorRow> tensors3() {
    std::vector<TensorRow> rows = tensors2();
    append(rows, queryKeyNorms(Convention::HuggingFacePlusOne));
    return rows;
}

} // namespace

extern const Family gemma2, gemma3;
constinit const Family gemma2{kGemma2, kGemma2, gguf2, config2, tensors2, kPrefixes};
constinit const Family gemma3{kGemma3, kGemma3Types, gguf3, config3, tensors3, kPrefixes};

} // namespace fovea::families
