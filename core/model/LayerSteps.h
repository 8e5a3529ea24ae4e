#pragma once
#include "core/base/Matrix.h"
#include "core/model/Elementwise.h"
#include "core/model/ModelShape.h"
#include "core/model/Precision.h"
#include "core/model/Weights.h"
#include <cstddef>
#include <cstdint>

namespace fovea {

/// The input of a product for a block of rows, contiguous, in f32 or bf16.
class Operand {
public:
    Operand(Precision precision, std::size_t values)
        : m_bf16(precision == Precision::BF16),
          m_bytes(values * (m_bf16 ? sizeof(std::uint16_t) : sizeof(float))) {}
    [[nodiscard]] const void* data() const { return m_bytes.data(); }
    [[nodiscard]] bool bf16() const { return m_bf16; }
    [[nodiscard]] float* floats(std::size_t at) { return reinterpret_cast<float*>(m_bytes.data()) + at; }
    [[nodiscard]] std::uint16_t* halves(std::size_t at) {
        return reinterpret_cast<std::uint16_t*>(m_bytes.data()) + at;
    }

private:
    bool m_bf16;
    AlignedBuffer<std::byte> m_bytes;
};

/// The matrices of a layer that rows are multiplied by.
enum class Product : std::uint8_t { Qkv, Output, GateUp, Down };

/// Whether a product is added to its result (the residual stream) or replaces it.
[[nodiscard]] inline bool accumulates(Product product, const ModelShape& shape) {
    return (product == Product::Output || product == Product::Down) && !shape.normsAfter;
}

/// Multiplies a block of rows by the matrices of a layer. `forward` multiplies blocks by unpacked matrices,
/// TokenPass one row by stored ones.
class Products {
public:
    virtual ~Products() = default;
    /// `in` holds the block's rows in the precision of the weights. `out` gets or gains (accumulates) in *
    /// W^T. Returns false when memory is short.
    [[nodiscard]] virtual bool multiply(Product product, std::size_t layer, const void* in, float* out) = 0;
};

/// The steps of the layer stack, except products and attention, for a block of consecutive rows: written once
/// for all families, whole texts and single tokens. What is done follows from ModelShape. Immutable and
/// thread-safe with one Buffers per thread.
class LayerSteps {
public:
    /// The references must outlive it. `loops`: of the instruction set.
    LayerSteps(const ModelShape& shape, const Weights& weights, const ElementwiseSet& loops);

    /// Working memory of one thread for blocks of up to `rows` rows. Throws std::bad_alloc.
    struct Buffers {
        Buffers(const LayerSteps& steps, std::size_t rows);
        Operand narrow;               ///< [rows x max(M, H*D)]
        Operand wide;                 ///< [rows x F]
        AlignedBuffer<float> product; ///< [rows x max(2F, (H+2G)D)]
        AlignedBuffer<float> branch;  ///< [rows x M] where branches are normed
    };

    /// Rows of the residual stream with all that belongs to them. All matrices are contiguous.
    struct Block {
        std::size_t rows = 0;
        float* x = nullptr;             ///< [rows x M]
        float* q = nullptr;             ///< [rows x H*D]
        float* k = nullptr;             ///< [rows x G*D]
        float* v = nullptr;             ///< [rows x G*D]
        const float* o = nullptr;       ///< [rows x H*D], the output of attention
        const float* cosines = nullptr; ///< [rows x R/2]; null: the layer is not rotated
        const float* sines = nullptr;   ///< [rows x R/2]
    };

    struct Outcome {
        static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
        std::size_t badRow = kNone; ///< the first row with activations that are not finite
        bool failed = false;        ///< a product found too little memory
        void bad(std::size_t row) { badRow = row < badRow ? row : badRow; }
    };

    /// Writes the sum of the embeddings of token `id` at `position` to x [M].
    void embed(std::size_t id, std::size_t position, float* x) const;
    /// q, k and v of the rows, q and k rotated.
    void beforeAttention(std::size_t layer, const Block& block, Buffers& buffers, Products& products,
                         Outcome& outcome) const;
    /// Adds the output projection of o and the feed-forward network to x.
    void afterAttention(std::size_t layer, const Block& block, Buffers& buffers, Products& products,
                        Outcome& outcome) const;
    /// The last norm, in place.
    void finish(const Block& block, Outcome& outcome) const;

    [[nodiscard]] std::size_t width() const { return m_width; }           ///< M
    [[nodiscard]] std::size_t queryWidth() const { return m_queryWidth; } ///< H*D
    [[nodiscard]] std::size_t keyWidth() const { return m_keyWidth; }     ///< G*D
    [[nodiscard]] std::size_t hidden() const { return m_hidden; }         ///< F

private:
    void norm(const NormWeights& weights, const float* from, float* to, std::size_t rows,
              Outcome& outcome) const;
    const void* normOperand(const NormWeights& weights, const Block& block, Buffers& buffers,
                            Outcome& outcome) const;
    const void* operand(const float* from, std::size_t values, Operand& to) const;
    void normHeads(const std::vector<float>& weight, float* heads, std::size_t width, Outcome& outcome,
                   std::size_t row) const;
    void rotateHeads(const float* from, float* to, std::size_t heads, const Block& block,
                     std::size_t row) const;
    void addBranch(Product product, std::size_t layer, const void* in, const std::vector<float>& bias,
                   const NormWeights& after, const Block& block, Buffers& buffers, Products& products,
                   Outcome& outcome) const;

    const ModelShape& m_shape;
    const Weights& m_weights;
    const ElementwiseSet& m_loops;
    std::size_t m_width, m_hidden, m_queryWidth, m_keyWidth;
};

} // namespace fovea
