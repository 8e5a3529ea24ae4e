// What families share in reading config.json of the `transformers` library.
#include "core/files/Quote.h"
#include "core/model/families/Common.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace fovea::families {

std::string configKey(const Settings& config, const std::string& key) {
    const std::string inside = "text_config." + key;
    return config.has(inside) ? inside : key;
}

Result<ModelShape> configShape(const Settings& config) {
    const auto key = [&](const char* name) { return configKey(config, name); };
    ModelShape shape;
    const auto family = config.text(key("model_type"));
    FOVEA_TRY(family);
    shape.family = *family;
    FOVEA_TRY(assign(shape.layers, config.integer(key("num_hidden_layers"), 1, 512)));
    FOVEA_TRY(assign(shape.width, config.integer(key("hidden_size"), 1, 65'536)));
    FOVEA_TRY(assign(shape.feedForward, config.integer(key("intermediate_size"), 1, 1'048'576)));
    FOVEA_TRY(
        assign(shape.context, config.integer(key("max_position_embeddings"), 1, std::int64_t{1} << 24)));
    FOVEA_TRY(assign(shape.vocabulary, config.integer(key("vocab_size"), 1, std::int64_t{1} << 24)));
    const std::string heads = key("num_attention_heads"), kvHeads = key("num_key_value_heads"),
                      headDim = key("head_dim");
    FOVEA_TRY(assign(shape.heads, config.integer(heads, 1, 1024)));
    FOVEA_TRY(assign(shape.kvHeads, config.integer(kvHeads, 1, 1024, shape.heads)));
    std::optional<std::int64_t> dimension;
    if (shape.width % shape.heads == 0)
        dimension = shape.width / shape.heads;
    FOVEA_TRY(assign(shape.headDim, config.integer(headDim, 1, 1024, dimension)));
    FOVEA_TRY(requireHeads(shape, kvHeads, headDim));
    if (config.has(key("rms_norm_eps"))) {
        const auto epsilon = config.real(key("rms_norm_eps"), 0, 0.01, std::nullopt, true);
        FOVEA_TRY(epsilon);
        shape.normEpsilon = static_cast<float>(*epsilon);
    } else {
        shape.normEpsilon = 1e-6F; // the default of the classes that leave it out
    }
    for (const char* experts : {"num_local_experts", "num_experts"}) {
        const auto count = config.integer(key(experts), 0, 65'536, 0);
        FOVEA_TRY(count);
        if (*count > 0)
            return doesNotRun(key(experts), std::to_string(*count), "dense models (0 experts) run");
    }
    return shape;
}

namespace {

/// The divisors of Llama 3 (the scaling "llama3" of the `transformers` library): low frequencies are divided
/// by `factor`, high ones are kept, those between are mixed.
Result<std::vector<float>> llama3Factors(const Settings& config, const std::string& at,
                                         const ModelShape& shape, double base) {
    const auto factor = config.real(at + "factor", 1, 1000);
    FOVEA_TRY(factor);
    const auto low = config.real(at + "low_freq_factor", 0, 1000, 1, true);
    FOVEA_TRY(low);
    const auto high = config.real(at + "high_freq_factor", 0, 1000, 4, true);
    FOVEA_TRY(high);
    if (*high <= *low)
        return fail(ErrorCode::Inconsistent,
                    at + "high_freq_factor is not above low_freq_factor; a larger one "
                         "is accepted");
    const auto context =
        config.integer(at + "original_max_position_embeddings", 1, std::int64_t{1} << 24, 8192);
    FOVEA_TRY(context);
    std::vector<float> factors;
    for (int m = 0; m < shape.rotaryDim() / 2; ++m) {
        const double frequency = std::pow(base, -2.0 * m / shape.rotaryDim());
        const double turns = static_cast<double>(*context) * frequency / (2 * std::numbers::pi);
        const double smooth = std::clamp((turns - *low) / (*high - *low), 0.0, 1.0);
        factors.push_back(static_cast<float>(1 / ((1 - smooth) / *factor + smooth)));
    }
    return factors;
}

} // namespace

Result<> configRope(const Settings& config, ModelShape& shape, double base, const std::string& parameters,
                    bool longRope) {
    // Older files have rope_theta beside rope_scaling; newer ones have all in rope_parameters.
    const auto key = [&](const std::string& name) { return configKey(config, name); };
    const bool isNew =
        config.has(key(parameters + ".rope_theta")) || config.has(key(parameters + ".rope_type"));
    const auto in = [&](const char* name) {
        return key((isNew ? parameters : std::string("rope_scaling")) + "." + name);
    };
    const auto either = [&](const char* name) {
        return isNew && config.has(in(name)) ? in(name) : key(name);
    };
    const auto theta = config.real(either("rope_theta"), 1, 1e12, base);
    FOVEA_TRY(theta);
    shape.everyLayer.ropeBase = *theta;
    const auto partial = config.real(either("partial_rotary_factor"), 0, 1, 1, true);
    FOVEA_TRY(partial);
    const int rotary = static_cast<int>(*partial * shape.headDim);
    if (rotary < 2 || rotary % 2 != 0)
        return fail(ErrorCode::Inconsistent, "partial_rotary_factor rotates " + std::to_string(rotary) +
                                                 " of " + std::to_string(shape.headDim) +
                                                 " numbers; an even number of at least 2 is accepted");
    shape.rotary = rotary == shape.headDim ? 0 : rotary;
    const std::string typeKey = config.has(in("rope_type")) ? in("rope_type") : in("type");
    const auto type = config.text(typeKey, "default");
    FOVEA_TRY(type);
    if (*type == "default")
        return {};
    if (*type == "linear") {
        const auto factor = config.real(in("factor"), 1, 1000);
        FOVEA_TRY(factor);
        shape.everyLayer.ropeFactor = *factor;
        return {};
    }
    if (*type == "llama3") {
        auto factors = llama3Factors(config, in(""), shape, *theta);
        FOVEA_TRY(factors);
        shape.ropeFactors = std::move(*factors);
        return {};
    }
    if (longRope && (*type == "longrope" || *type == "su"))
        return {};
    return doesNotRun(typeKey, inQuotes(*type),
                      std::string("default, linear") +
                          (longRope ? ", llama3 and longrope run" : " and llama3 run"));
}

Result<> configTies(const Settings& config, ModelShape& shape, bool tiedByDefault) {
    const std::string key = "tie_word_embeddings";
    const auto tied = config.boolean(config.has(key) ? key : configKey(config, key), tiedByDefault);
    FOVEA_TRY(tied);
    shape.tiedOutput = *tied;
    return {};
}

Result<> requireFalse(const Settings& config, const std::string& key, const ModelShape& shape) {
    const auto set = config.boolean(key, false);
    FOVEA_TRY(set);
    if (*set)
        return doesNotRun(key, "true", "false runs in a " + shape.family + " model");
    return {};
}

Result<> configActivation(const Settings& config, const std::string& key, ModelShape& shape) {
    struct Name {
        std::string_view text;
        Activation activation;
    };
    static constexpr std::array kNames{
        Name{"silu", Activation::Silu},          Name{"swish", Activation::Silu},
        Name{"gelu", Activation::GeluErf},       Name{"gelu_pytorch_tanh", Activation::GeluTanh},
        Name{"gelu_new", Activation::GeluTanh},  Name{"gelu_fast", Activation::GeluTanh},
        Name{"gelu_tanh", Activation::GeluTanh},
    };
    if (!config.has(key))
        return {};
    const auto text = config.text(key);
    FOVEA_TRY(text);
    const auto found =
        std::find_if(kNames.begin(), kNames.end(), [&](const Name& n) { return n.text == *text; });
    if (found == kNames.end())
        return doesNotRun(key, inQuotes(*text), "silu, gelu and gelu_pytorch_tanh run");
    shape.activation = found->activation;
    return {};
}

Result<ModelShape> configDecoder(const Settings& config, bool tiedByDefault, double ropeBase, bool longRope) {
    auto shape = configShape(config);
    FOVEA_TRY(shape);
    FOVEA_TRY(configRope(config, *shape, ropeBase, "rope_parameters", longRope));
    FOVEA_TRY(configActivation(config, "hidden_act", *shape));
    FOVEA_TRY(configTies(config, *shape, tiedByDefault));
    return shape;
}

} // namespace fovea::families
