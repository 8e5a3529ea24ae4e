#pragma once
#include "core/base/Cancel.h"
#include "core/base/Matrix.h"
#include "core/base/Result.h"
#include "core/files/TensorSource.h"
#include "core/model/Dense.h"
#include "core/model/ModelHeader.h"
#include "core/model/RawLayer.h"
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

/// The vectors of a layer. Those that a family lacks are empty.
struct LayerWeights {
    NormWeights attentionNorm;        ///< before attention (normsBefore)
    NormWeights feedForwardNorm;      ///< before the feed-forward network
    NormWeights afterAttentionNorm;   ///< normsAfter or normsOfSum
    NormWeights afterFeedForwardNorm; ///< normsAfter or normsOfSum
    std::vector<float> queryNorm;     ///< [D], or [H*D]
    std::vector<float> keyNorm;       ///< [D], or [G*D]
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
    [[nodiscard]] std::size_t bytes() const { return m_bytes.size(); }

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

/// The weights of a model, unpacked once or when a layer is needed. Immutable, shared between threads.
class Weights {
public:
    /// Reads every tensor that `header` places. The conventions of the container (TensorPart) are undone.
    /// Values that are not finite are counted per tensor in `warnings`. Errors: Io, Cancelled. Throws
    /// std::bad_alloc. Memory besides the result: one matrix in f32, or one vocabulary strip.
    [[nodiscard]] static Result<std::shared_ptr<const Weights>>
    read(const TensorSource& source, const ModelHeader& header, const LoadOptions& options,
         std::vector<std::string>& warnings, const WorkContext& work);

    explicit Weights(Precision precision) : backend(precision) {}

    /// The matrices of a layer, unpacked now if they are not kept so. Opens an OpenMP region of `threads`.
    /// Throws std::bad_alloc.
    [[nodiscard]] std::shared_ptr<const LayerMatrices> matricesOf(const ModelShape& shape, int layer,
                                                                  int threads) const;
    /// Strips [first, first + count) of rawVocabulary, unpacked.
    [[nodiscard]] std::vector<DenseWeight> unpackVocabulary(std::size_t first, std::size_t count,
                                                            int threads) const;
    /// Bytes of all weights as they are held.
    [[nodiscard]] std::uint64_t bytes(const ModelShape& shape) const;

    /// Radians per position of the rotation of `layer` in a text of `tokens` tokens, [R/2]; empty where
    /// nothing is rotated.
    [[nodiscard]] std::span<const double> ropeFrequencies(int layer, std::size_t tokens) const;

    /// Whether texts of `shorter` and of `longer` tokens are rotated differently.
    [[nodiscard]] bool changesRotation(std::size_t shorter, std::size_t longer) const;

    DenseBackend backend;
    EmbeddingTable embedding;
    Matrix positions;             ///< [C x M], learned ones
    std::vector<float> tokenType; ///< [M], that of type 0
    NormWeights embeddingNorm;
    std::vector<LayerWeights> layers; ///< [L]
    /// [L], unpacked on loading; empty: `raw` holds them, and matricesOf unpacks a layer when it is needed.
    std::vector<std::shared_ptr<const LayerMatrices>> matrices;
    std::vector<RawLayer> raw; ///< [L], or empty
    NormWeights outputNorm;
    std::vector<DenseWeight> vocabulary; ///< strips of [960 x M], the last one ragged; none in an encoder
    RawMatrix rawVocabulary;             ///< [V x M], in place of `vocabulary` where weights are not unpacked
    std::vector<Rotation> rotations;
    std::vector<int> rotationOf;           ///< [L] index in `rotations`, -1: the layer is not rotated
    std::size_t ropeContext = 0;           ///< as in ModelShape
    std::unique_ptr<StoredWeights> stored; ///< null unless LoadOptions::stored
};

} // namespace fovea
