#pragma once
#include "core/base/Cancel.h"
#include "core/base/Matrix.h"
#include "core/base/Result.h"
#include "core/files/ByteSource.h"
#include "core/model/Dense.h"
#include "core/model/ModelHeader.h"
#include "core/model/StoredMatrix.h"
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace fovea {

/// Vocabulary rows of one output multiply: logits are made strip by strip. No power of two: rows of results 4
/// KiB apart share a few sets of the caches, which halves the speed of a general product.
inline constexpr std::size_t kVocabularyStrip = 960;

struct LayerWeights {
    std::vector<float> attentionNorm;   ///< [M]
    std::vector<float> feedForwardNorm; ///< [M]
    DenseWeight qkv;    ///< [(H+2G)*D x M]: q rows, then k, then v; q and k in half-split order
    DenseWeight output; ///< [M x H*D]
    DenseWeight gateUp; ///< [2F x M]: gate rows, then up
    DenseWeight down;   ///< [M x F]
};

/// The same matrices as the file stores them, for products with single rows.
struct StoredLayer {
    StoredMatrix q, k, v; ///< q and k in half-split order
    StoredMatrix output, gate, up, down;
};
struct StoredWeights {
    std::vector<StoredLayer> layers; ///< [L]
    StoredMatrix vocabulary;         ///< [V x M]
    [[nodiscard]] std::uint64_t bytes() const;
};

/// The rows of token_embd as the file stores them: small, and unpacked exactly when looked up.
class EmbeddingTable {
public:
    EmbeddingTable() = default;
    EmbeddingTable(TensorType type, std::size_t width, AlignedBuffer<std::byte> bytes)
        : m_type(type), m_width(width), m_bytes(std::move(bytes)) {}
    /// Fills out[0 .. M) with row `id`.
    void look(std::size_t id, float* out) const;

private:
    TensorType m_type = TensorType::F32;
    std::size_t m_width = 0;
    AlignedBuffer<std::byte> m_bytes;
};

/// A llama model's weights, unpacked once. Immutable, shared between threads.
class Weights {
public:
    /// Reads every tensor of `header` from `source`. Rows of attn_q and attn_k, which GGUF stores in pairs
    /// for another kind of RoPE, are moved back. Values that are not finite are counted per tensor into
    /// `warnings`. Errors: Io, Cancelled. Throws std::bad_alloc. Beyond the result it holds one matrix in
    /// f32, or one vocabulary strip.
    [[nodiscard]] static Result<std::shared_ptr<const Weights>>
    read(const ByteSource& source, const ModelHeader& header, const LoadOptions& options,
         std::vector<std::string>& warnings, const WorkContext& work);

    explicit Weights(Precision precision) : backend(precision) {}

    DenseBackend backend;
    EmbeddingTable embedding;
    std::vector<LayerWeights> layers;      ///< [L]
    std::vector<float> outputNorm;         ///< [M]
    std::vector<DenseWeight> vocabulary;   ///< strips of [960 x M], the last one ragged
    std::vector<double> ropeFrequencies;   ///< [D/2], radians per position
    std::unique_ptr<StoredWeights> stored; ///< null unless LoadOptions::stored
};

} // namespace fovea
