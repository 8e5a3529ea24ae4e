// OLMo 2 (2501.00656): norms after the branches only, and an RMS norm of q and k over all heads together.
#include "core/model/families/Common.h"

namespace fovea::families {

namespace {

constexpr std::string_view kNames[] = {"olmo2"};

void setNorms(ModelShape& shape) {
    shape.normsBefore = false;
    shape.normsAfter = true;
    shape.qkNorm = QkNorm::Whole;
}

Result<ModelShape> fromGguf(const Settings& metadata, const std::string& architecture) {
    auto shape = ggufDecoder(metadata, architecture);
    FOVEA_TRY(shape);
    FOVEA_TRY(ggufNoWindow(metadata, architecture));
    setNorms(*shape);
    return shape;
}

Result<ModelShape> fromConfig(const Settings& config) {
    auto shape = configDecoder(config);
    FOVEA_TRY(shape);
    FOVEA_TRY(requireFalse(config, "attention_bias", *shape));
    setNorms(*shape);
    return shape;
}

std::vector<TensorRow> tensors() {
    std::vector<TensorRow> rows = outerTensors();
    append(rows, {{Place::AfterAttentionNorm, "blk.*.post_attention_norm.weight",
                   "layers.*.post_attention_layernorm.weight"},
                  {Place::AfterFeedForwardNorm, "blk.*.post_ffw_norm.weight",
                   "layers.*.post_feedforward_layernorm.weight"}});
    append(rows, branchTensors());
    append(rows, queryKeyNorms());
    return rows;
}

} // namespace

extern const Family olmo2;
constinit const Family olmo2{kNames, kNames, fromGguf, fromConfig, tensors, kDecoderPrefixes};

} // namespace fovea::families
