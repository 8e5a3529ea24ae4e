#pragma once
#include "core/base/Result.h"
#include "core/files/Settings.h"
#include "core/model/ModelShape.h"
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// What a tensor is in the forward pass (LayerSteps.h). Matrices are [out x in]; the letters are those of
/// ModelShape. Those from AttentionNorm on exist once per layer.
enum class Place : std::uint8_t {
    TokenEmbedding,    ///< [V x M]
    PositionEmbedding, ///< [C x M]
    TypeEmbedding,     ///< [tokenTypes x M]
    EmbeddingNorm,     ///< [M]
    EmbeddingNormBias, ///< [M]
    OutputNorm,        ///< [M]
    OutputNormBias,    ///< [M]
    Output,            ///< [V x M]; optional: without it the token embedding serves
    RopeFactors,       ///< [R/2], divisors of the rotation's frequencies
    LongRopeFactors,   ///< [R/2], those of texts longer than ropeContext
    AttentionNorm,     ///< [M], before attention
    AttentionNormBias,
    Query,               ///< [H*D x M]
    Key,                 ///< [G*D x M]
    Value,               ///< [G*D x M]
    Qkv,                 ///< [(H+2G)*D x M]: the rows of Query, then Key, then Value
    QueryBias,           ///< [H*D]
    KeyBias,             ///< [G*D]
    ValueBias,           ///< [G*D]
    QkvBias,             ///< [(H+2G)*D]
    QueryNorm,           ///< [D] or [H*D], by QkNorm
    KeyNorm,             ///< [D] or [G*D]
    AttentionOutput,     ///< [M x H*D]
    AttentionOutputBias, ///< [M]
    AfterAttentionNorm,  ///< [M], of the branch (normsAfter) or of the sum (normsOfSum)
    AfterAttentionNormBias,
    FeedForwardNorm, ///< [M], before the feed-forward network
    FeedForwardNormBias,
    Gate,                 ///< [F x M]
    Up,                   ///< [F x M]
    GateUp,               ///< [2F x M]: the rows of Gate, then Up
    UpBias,               ///< [F]; only without a gate
    Down,                 ///< [M x F]
    DownBias,             ///< [M]
    AfterFeedForwardNorm, ///< [M]
    AfterFeedForwardNormBias,
};
[[nodiscard]] constexpr bool isPerLayer(Place place) {
    return place >= Place::AttentionNorm;
}

/// How the bytes of a tensor differ from the weights that the forward pass needs.
enum class Convention : std::uint8_t {
    None,
    /// In GGUF, inside a head, row r holds row (r mod 2) * D/2 + r/2: the converter orders the rows for
    /// interleaved rotation, Fovea rotates in halves. Hugging Face stores the rows in half order.
    GgufRowPairs,
    /// Hugging Face stores w of a norm that multiplies by 1 + w; GGUF stores 1 + w.
    HuggingFacePlusOne,
    /// Hugging Face stores the matrix as [in x out] (Conv1D); GGUF as [out x in].
    HuggingFaceTransposed,
};

/// One tensor of a family.
struct TensorRow {
    Place place{};
    std::string_view gguf;        ///< "blk.*.attn_q.weight"; * stands for the layer
    std::string_view huggingFace; ///< "layers.*.self_attn.q_proj.weight", after one of the prefixes
    bool optional = false;
    Convention convention = Convention::None;
};

/// A family of models: one file in families/ and one row in Families.cpp. Pointers are not null. All
/// functions are thread-safe.
///
/// A family that says Query, Key and Value also reads files that store them fused, and the other way round;
/// the same holds for Gate and Up, and for biases. A tensor that no row names makes a file Unsupported.
struct Family {
    std::span<const std::string_view> architectures; ///< values of general.architecture in GGUF
    std::span<const std::string_view> modelTypes;    ///< values of model_type in config.json
    /// The checked shape of a GGUF model, without V. `architecture` prefixes the keys.
    Result<ModelShape> (*fromGguf)(const Settings& metadata, const std::string& architecture);
    /// The checked shape of a model with a config.json, with V.
    Result<ModelShape> (*fromConfig)(const Settings& config);
    std::vector<TensorRow> (*tensors)();
    /// What may stand before the names of TensorRow::huggingFace: "model.", "".
    std::span<const std::string_view> prefixes;
};

[[nodiscard]] std::span<const Family* const> modelFamilies();
/// The family that answers to a value of general.architecture; null: none.
[[nodiscard]] const Family* familyOfArchitecture(std::string_view architecture);
/// The family that answers to a model_type; null: none.
[[nodiscard]] const Family* familyOfModelType(std::string_view modelType);
/// "llama, qwen2, ...", for messages.
[[nodiscard]] std::string architectureList();
[[nodiscard]] std::string modelTypeList();

} // namespace fovea
