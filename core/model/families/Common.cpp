#include "core/model/families/Common.h"
#include "core/files/Quote.h"
#include <cmath>

namespace fovea::families {

Result<> assign(int& to, const Result<std::int64_t>& value) {
    FOVEA_TRY(value);
    to = static_cast<int>(*value);
    return {};
}

tl::unexpected<Error> doesNotRun(const std::string& key, const std::string& value,
                                 const std::string& accepted) {
    return fail(ErrorCode::Unsupported, quoteForMessage(key) + " is " + value + "; " + accepted);
}

Result<> requireHeads(const ModelShape& shape, const std::string& kvHeads, const std::string& headDim) {
    if (shape.heads % shape.kvHeads != 0)
        return fail(ErrorCode::Inconsistent, kvHeads + " is " + std::to_string(shape.kvHeads) +
                                                 "; a divisor of the head count " +
                                                 std::to_string(shape.heads) + " is accepted");
    if (shape.headDim % 2 != 0 || shape.headDim > 1024)
        return fail(ErrorCode::Inconsistent, "the head dimension " + headDim + " is " +
                                                 std::to_string(shape.headDim) +
                                                 "; an even number from 2 to 1024 is accepted");
    if (shape.headDim > 256)
        return fail(ErrorCode::Unsupported, "the head dimension " + headDim + " is " +
                                                std::to_string(shape.headDim) + "; up to 256 runs");
    return {};
}

namespace {

/// D when the settings do not say it: M/H.
Result<std::optional<std::int64_t>> defaultHeadDim(const Settings& settings, const ModelShape& shape,
                                                   const std::string& heads, const std::string& headDim) {
    if (shape.width % shape.heads == 0)
        return std::optional<std::int64_t>(shape.width / shape.heads);
    if (settings.has(headDim))
        return std::optional<std::int64_t>();
    return fail(ErrorCode::Inconsistent, heads + " is " + std::to_string(shape.heads) +
                                             "; a divisor of the width " + std::to_string(shape.width) +
                                             " is accepted when " + headDim.substr(headDim.rfind('.') + 1) +
                                             " is missing");
}

} // namespace

Result<ModelShape> ggufShape(const Settings& metadata, const std::string& architecture, NormKind norm) {
    const std::string at = architecture + ".";
    ModelShape shape;
    shape.family = architecture;
    shape.norm = norm;
    FOVEA_TRY(assign(shape.layers, metadata.integer(at + "block_count", 1, 512)));
    const auto layers = static_cast<std::uint64_t>(shape.layers);
    FOVEA_TRY(assign(shape.width, metadata.integer(at + "embedding_length", 1, 65'536)));
    FOVEA_TRY(assign(shape.feedForward,
                     metadata.integer(at + "feed_forward_length", 1, 1'048'576, std::nullopt, layers)));
    FOVEA_TRY(assign(shape.context, metadata.integer(at + "context_length", 1, std::int64_t{1} << 24)));
    const std::string heads = at + "attention.head_count", kvHeads = at + "attention.head_count_kv",
                      keyLength = at + "attention.key_length";
    FOVEA_TRY(assign(shape.heads, metadata.integer(heads, 1, 1024, std::nullopt, layers)));
    FOVEA_TRY(assign(shape.kvHeads, metadata.integer(kvHeads, 1, 1024, shape.heads, layers)));
    if (shape.heads % shape.kvHeads != 0)
        return tl::make_unexpected(requireHeads(shape, kvHeads, keyLength).error());
    const auto headDim = defaultHeadDim(metadata, shape, heads, keyLength);
    FOVEA_TRY(headDim);
    FOVEA_TRY(assign(shape.headDim, metadata.integer(keyLength, 1, 1024, *headDim)));
    const auto valueLength = metadata.integer(at + "attention.value_length", 1, 1024, shape.headDim);
    FOVEA_TRY(valueLength);
    if (*valueLength != shape.headDim)
        return doesNotRun(at + "attention.value_length", std::to_string(*valueLength),
                          "the key length " + std::to_string(shape.headDim) + " runs");
    FOVEA_TRY(requireHeads(shape, kvHeads, keyLength));
    const auto epsilon = metadata.real(
        at + (norm == NormKind::Rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon"), 0,
        0.01, std::nullopt, true);
    FOVEA_TRY(epsilon);
    shape.normEpsilon = static_cast<float>(*epsilon);
    const auto experts = metadata.integer(at + "expert_count", 0, 65'536, 0);
    FOVEA_TRY(experts);
    if (*experts > 0)
        return doesNotRun(at + "expert_count", std::to_string(*experts), "dense models (0 experts) run");
    return shape;
}

Result<> ggufRope(const Settings& metadata, const std::string& architecture, ModelShape& shape,
                  bool partial) {
    const std::string at = architecture + ".rope.";
    const auto base = metadata.real(at + "freq_base", 1, 1e12, 10000);
    FOVEA_TRY(base);
    shape.everyLayer.ropeBase = *base;
    const auto dimensions = metadata.integer(at + "dimension_count", 1, 65'536, shape.headDim);
    FOVEA_TRY(dimensions);
    const std::string key = at + "dimension_count", found = std::to_string(*dimensions),
                      whole = std::to_string(shape.headDim);
    if (!partial && *dimensions != shape.headDim)
        return doesNotRun(key, found, whole + ", the head dimension, runs");
    if (*dimensions % 2 != 0 || *dimensions > shape.headDim)
        return fail(ErrorCode::Inconsistent, key + " is " + found +
                                                 "; an even number up to the head dimension " + whole +
                                                 " is accepted");
    shape.rotary = *dimensions == shape.headDim ? 0 : static_cast<int>(*dimensions);
    const auto scaling = metadata.text(at + "scaling.type", "linear");
    FOVEA_TRY(scaling);
    if (*scaling == "none")
        return {};
    // A converter writes llama3 and longrope scaling as tensors of factors; the key then only names them.
    const bool longRope = partial && *scaling == "longrope";
    if (*scaling != "linear" && *scaling != "llama3" && !longRope)
        return doesNotRun(at + "scaling.type", inQuotes(*scaling),
                          partial ? "none, linear, llama3 and longrope run" : "none, linear and llama3 run");
    const auto old = metadata.real(at + "scale_linear", 1, 1000, 1);
    FOVEA_TRY(old);
    const auto factor = metadata.real(at + "scaling.factor", 1, 1000, *old);
    FOVEA_TRY(factor);
    if (*scaling == "linear")
        shape.everyLayer.ropeFactor = *factor;
    return {};
}

Result<ModelShape> ggufDecoder(const Settings& metadata, const std::string& architecture, bool partial) {
    auto shape = ggufShape(metadata, architecture);
    FOVEA_TRY(shape);
    FOVEA_TRY(ggufRope(metadata, architecture, *shape, partial));
    return shape;
}

Result<int> ggufWindow(const Settings& metadata, const std::string& architecture) {
    const auto window =
        metadata.integer(architecture + ".attention.sliding_window", 0, std::int64_t{1} << 24, 0);
    FOVEA_TRY(window);
    return static_cast<int>(*window);
}

Result<> ggufNoWindow(const Settings& metadata, const std::string& architecture) {
    const auto window = ggufWindow(metadata, architecture);
    FOVEA_TRY(window);
    if (*window > 0)
        return doesNotRun(architecture + ".attention.sliding_window", std::to_string(*window),
                          architecture + " models without one run");
    return {};
}

std::vector<TensorRow> outerTensors(Convention norms) {
    return {{Place::TokenEmbedding, "token_embd.weight", "embed_tokens.weight"},
            {Place::Output, "output.weight", "lm_head.weight", true},
            {Place::OutputNorm, "output_norm.weight", "norm.weight", false, norms}};
}

std::vector<TensorRow> branchTensors(Convention queryKey) {
    return {
        {Place::Query, "blk.*.attn_q.weight", "layers.*.self_attn.q_proj.weight", false, queryKey},
        {Place::Key, "blk.*.attn_k.weight", "layers.*.self_attn.k_proj.weight", false, queryKey},
        {Place::Value, "blk.*.attn_v.weight", "layers.*.self_attn.v_proj.weight"},
        {Place::AttentionOutput, "blk.*.attn_output.weight", "layers.*.self_attn.o_proj.weight"},
        {Place::Gate, "blk.*.ffn_gate.weight", "layers.*.mlp.gate_proj.weight"},
        {Place::Up, "blk.*.ffn_up.weight", "layers.*.mlp.up_proj.weight"},
        {Place::Down, "blk.*.ffn_down.weight", "layers.*.mlp.down_proj.weight"},
    };
}

void append(std::vector<TensorRow>& to, std::vector<TensorRow> more) {
    to.insert(to.end(), more.begin(), more.end());
}

std::vector<TensorRow> decoderTensors(Convention queryKey) {
    std::vector<TensorRow> rows = outerTensors();
    append(rows,
           {{Place::AttentionNorm, "blk.*.attn_norm.weight", "layers.*.input_layernorm.weight"},
            {Place::FeedForwardNorm, "blk.*.ffn_norm.weight", "layers.*.post_attention_layernorm.weight"}});
    append(rows, branchTensors(queryKey));
    return rows;
}

std::vector<TensorRow> queryKeyNorms(Convention norms) {
    return {{Place::QueryNorm, "blk.*.attn_q_norm.weight", "layers.*.self_attn.q_norm.weight", false, norms},
            {Place::KeyNorm, "blk.*.attn_k_norm.weight", "layers.*.self_attn.k_norm.weight", false, norms}};
}

} // namespace fovea::families
