// Qwen2 and Qwen2.5 (2407.10671, 2412.15115): Llama with biases on q, k and v. Qwen3 (2505.09388): an RMS
// norm of each head of q and k instead; the heads together may be wider or narrower than the model.
#include "core/model/families/Common.h"

namespace fovea::families {

namespace {

constexpr std::string_view kQwen2[] = {"qwen2"};
constexpr std::string_view kQwen3[] = {"qwen3"};

Result<ModelShape> ofQwen2(Result<ModelShape> shape) {
    if (shape)
        shape->qkvBias = true;
    return shape;
}

Result<ModelShape> ofQwen3(Result<ModelShape> shape) {
    if (shape)
        shape->qkNorm = QkNorm::Head;
    return shape;
}

Result<ModelShape> fromGguf(const Settings& metadata, const std::string& architecture) {
    auto shape = ggufDecoder(metadata, architecture);
    FOVEA_TRY(shape);
    FOVEA_TRY(ggufNoWindow(metadata, architecture));
    return shape;
}

Result<ModelShape> fromConfig(const Settings& config) {
    auto shape = configDecoder(config);
    FOVEA_TRY(shape);
    FOVEA_TRY(requireFalse(config, "attention_bias", *shape));
    FOVEA_TRY(requireFalse(config, "use_sliding_window", *shape));
    return shape;
}

std::vector<TensorRow> tensors2() {
    std::vector<TensorRow> rows = decoderTensors();
    append(rows, {{Place::QueryBias, "blk.*.attn_q.bias", "layers.*.self_attn.q_proj.bias"},
                  {Place::KeyBias, "blk.*.attn_k.bias", "layers.*.self_attn.k_proj.bias"},
                  {Place::ValueBias, "blk.*.attn_v.bias", "layers.*.self_attn.v_proj.bias"}});
    return rows;
}

std::vector<TensorRow> tensors3() {
    std::vector<TensorRow> rows = decoderTensors();
    append(rows, queryKeyNorms());
    return rows;
}

} // namespace

extern const Family qwen2, qwen3;
constinit const Family qwen2{kQwen2,
                             kQwen2,
                             [](const Settings& metadata, const std::string& architecture) {
                                 return ofQwen2(fromGguf(metadata, architecture));
                             },
                             [](const Settings& config) { return ofQwen2(fromConfig(config)); },
                             tensors2,
                             kDecoderPrefixes};
constinit const Family qwen3{kQwen3,
                             kQwen3,
                             [](const Settings& metadata, const std::string& architecture) {
                                 return ofQwen3(fromGguf(metadata, architecture));
                             },
                             [](const Settings& config) { return ofQwen3(fromConfig(config)); },
                             tensors3,
                             kDecoderPrefixes};

} // namespace fovea::families
