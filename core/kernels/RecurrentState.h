#pragma once
#include "core/kernels/Attention.h"
#include "core/kernels/FarLoops.h"
#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

/// Weights of one head's recurrence, [D x D] each, row-major: y = W x.
struct RecurrentWeights {
    std::vector<float> wr, wz, wn, ur, un;
};
/// Untrained weights: uniform in [-1/sqrt(D), 1/sqrt(D)], as PyTorch initialises a GRU, from SplitMix64 of
/// (seed, layer, head, matrix, element). Learned weights cannot be loaded.
[[nodiscard]] RecurrentWeights recurrentWeights(std::size_t dim, std::uint64_t seed, int layer,
                                                std::size_t head);

/// The recurrent branch of the seed block, per query head (gates as in a GRU, untrained): r = sigmoid(Wr h +
/// Ur k), z = sigmoid(Wz h + k), n = tanh(Wn (r o h) + Un k), h <- (1 - z) o h + z o (n o v). It runs over
/// every token, read elsewhere or not, and its h is read without a query: all rows at one position get the
/// same vector.
class RecurrentState {
public:
    RecurrentState(std::size_t heads, std::size_t dim, std::uint64_t seed, int layer);
    /// Fills out [rows x H*D], where row r is h after token `first` + r, for the heads with wanted[h] != 0,
    /// which must be the same in every call. Rows must follow those of the last call, or come after them. q
    /// is not read. Parallel over heads; same bits at any thread count. Cost: 5 D^2 multiply-adds per row and
    /// head. Errors: Cancelled.
    [[nodiscard]] Result<> run(const AttentionInput& in, std::size_t first,
                               std::span<const std::uint8_t> wanted, Isa isa, MatrixView out,
                               const WorkContext& work);
    /// Number of tokens processed so far.
    [[nodiscard]] std::size_t rows() const { return m_rows; }
    [[nodiscard]] std::uint64_t stateBytes() const { return m_h.size() * sizeof(float); }
    [[nodiscard]] std::uint64_t macsPerRow() const { return 5 * m_dim * m_dim; } ///< of one head

private:
    void runHead(const AttentionInput& in, std::size_t head, std::size_t first, MatrixView out,
                 const kernels::FarLoops& loops, const WorkContext& work);

    std::size_t m_dim, m_rows = 0;
    std::vector<std::vector<float>> m_transposed; ///< [H] Wr, Wz, Wn, Ur, Un, each [D x D] column by column
    std::vector<float> m_h;                       ///< [H x D]
};

/// The plain reference in double, from token 0, with the weights of (seed, layer). For tests.
void recurrentOracle(const AttentionInput& in, std::uint64_t seed, int layer, MatrixView out);

} // namespace fovea
