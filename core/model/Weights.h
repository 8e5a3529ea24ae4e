#pragma once
#include "core/base/Cancel.h"
#include "core/base/Matrix.h"
#include "core/base/Result.h"
#include "core/files/TensorSource.h"
#include "core/model/Dense.h"
#include "core/model/ModelHeader.h"
#include "core/model/StoredMatrix.h"
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fovea {

/// Vocabulary rows per product when logits are computed, strip by strip. Not a power of two: result rows that
/// lie 4 KiB apart share few cache sets, which halves the speed of the product.
inline constexpr std::size_t kVocabularyStrip = 960;

/// Weights of one norm. Empty where a model has none.
struct NormWeights {
    std::vector<float> weight; ///< [M]
    std::vector<float> bias;   ///< [M] of a layer norm
};

/// Vectors that a family lacks are empty.
struct LayerWeights {
    NormWeights attentionNorm;        ///< before attention (normsBefore)
    NormWeights feedForwardNorm;      ///< before the feed-forward network
    NormWeights afterAttentionNorm;   ///< normsAfter or normsOfSum
    NormWeights afterFeedForwardNorm; ///< normsAfter or normsOfSum
    std::vector<float> queryNorm;     ///< [D], or [H*D]
    std::vector<float> keyNorm;       ///< [D], or [G*D]
    DenseWeight qkv;                  ///< [(H+2G)*D x M]: q rows, then k, then v; q and k in half-split order
    DenseWeight output;               ///< [M x H*D]
    DenseWeight gateUp;               ///< [2F x M]: gate rows, then up; [F x M] without a gate
    DenseWeight down;                 ///< [M x F]
    std::vector<float> qkvBias, outputBias, upBias, downBias;
};

/// The same matrices in the encoding of the file, for products with single rows.
struct StoredLayer {
    StoredMatrix q, k, v;                ///< q and k in half-split order
    StoredMatrix output, gate, up, down; ///< gate is empty without a gate
};
struct StoredWeights {
    std::vector<StoredLayer> layers; ///< [L]
    StoredMatrix vocabulary;         ///< [V x M]
    [[nodiscard]] std::uint64_t bytes() const;
};

/// The rows of token_embd in the encoding of the file, which needs less memory. A row is unpacked exactly
/// when it is looked up.
class EmbeddingTable {
public:
    EmbeddingTable() = default;
    EmbeddingTable(TensorType type, std::size_t width, AlignedBuffer<std::byte> bytes)
        : m_type(type), m_width(width), m_bytes(std::move(bytes)) {}
    /// Writes row `id` to out[0 .. M).
    void look(std::size_t id, float* out) const;

private:
    TensorType m_type = TensorType::F32;
    std::size_t m_width = 0;
    AlignedBuffer<std::byte> m_bytes;
};

/// One rotation, shared by the layers that have it. Radians per position, [R/2].
struct Rotation {
    std::vector<double> frequencies;
    std::vector<double> longFrequencies; ///< of texts longer than ropeContext; empty: the same
};

/// The weights of a model, unpacked once. Immutable, shared between threads.
class Weights {
public:
    /// Reads every tensor that `header` places. The conventions of the container (TensorPart) are undone.
    /// Values that are not finite are counted per tensor in `warnings`. Errors: Io, Cancelled. Throws
    /// std::bad_alloc. Memory besides the result: one matrix in f32, or one vocabulary strip.
    [[nodiscard]] static Result<std::shared_ptr<const Weights>>
    read(const TensorSource& source, const ModelHeader& header, const LoadOptions& options,
         std::vector<std::string>& warnings, const WorkContext& work);

    explicit Weights(Precision precision) : backend(precision) {}

    /// Radians per position of the rotation of `layer` in a text of `tokens` tokens, [R/2]; empty where
    /// nothing is rotated.
    [[nodiscard]] std::span<const double> ropeFrequencies(int layer, std::size_t tokens) const;

    DenseBackend backend;
    EmbeddingTable embedding;
    Matrix positions;             ///< [C x M], learned ones
    std::vector<float> tokenType; ///< [M], that of type 0
    NormWeights embeddingNorm;
    std::vector<LayerWeights> layers; ///< [L]
    NormWeights outputNorm;
    std::vector<DenseWeight> vocabulary; ///< strips of [960 x M], the last one ragged; none in an encoder
    std::vector<Rotation> rotations;
    std::vector<int> rotationOf;           ///< [L] index in `rotations`, -1: the layer is not rotated
    std::size_t ropeContext = 0;           ///< as in ModelShape
    std::unique_ptr<StoredWeights> stored; ///< null unless LoadOptions::stored
};

} // namespace fovea
