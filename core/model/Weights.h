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

/// Vocabulary rows per product when logits are computed, strip by strip. Not a power of two: result rows that
/// lie 4 KiB apart share few cache sets, which halves the speed of the product.
inline constexpr std::size_t kVocabularyStrip = 960;

struct LayerWeights {
    std::vector<float> attentionNorm;   ///< [M]
    std::vector<float> feedForwardNorm; ///< [M]
    DenseWeight qkv;    ///< [(H+2G)*D x M]: q rows, then k, then v; q and k in half-split order
    DenseWeight output; ///< [M x H*D]
    DenseWeight gateUp; ///< [2F x M]: gate rows, then up
    DenseWeight down;   ///< [M x F]
};

/// The same matrices in the encoding of the file, for products with single rows.
struct StoredLayer {
    StoredMatrix q, k, v; ///< q and k in half-split order
    StoredMatrix output, gate, up, down;
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

/// The weights of a llama model, unpacked once. Immutable, shared between threads.
class Weights {
public:
    /// Reads every tensor of `header` from `source`. GGUF stores the rows of attn_q and attn_k in pairs, for
    /// interleaved RoPE; they are moved back to the half-split order. Values that are not finite are counted
    /// per tensor in `warnings`. Errors: Io, Cancelled. Throws std::bad_alloc. Memory besides the result: one
    /// matrix in f32, or one vocabulary strip.
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
