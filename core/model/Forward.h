#pragma once
#include "core/base/Cancel.h"
#include "core/base/Matrix.h"
#include "core/base/Result.h"
#include "core/model/Model.h"
#include <cstdint>
#include <functional>
#include <span>

namespace fovea {

/// One layer's attention inputs. Norms of q and k and RoPE (half-split) are already applied where the layer
/// has them. The views are valid during the call only.
struct LayerInput {
    int layer = 0;
    ConstMatrixView x; ///< [T x M], the residual stream that enters the layer
    ConstMatrixView q; ///< [T x H*D], head h in columns h*D .. h*D+D-1
    ConstMatrixView k; ///< [T x G*D]
    ConstMatrixView v; ///< [T x G*D]
};

/// Computes attention for one layer: fills `o` [T x H*D], the output before the output projection. Called
/// once per layer, in order, on the thread that called forward, outside any OpenMP region; it may open its
/// own.
using Attend = std::function<Result<>(const LayerInput& in, MatrixView o)>;

/// Runs the layer stack over `ids`. Returns the hidden states after the last norm [T x M], from which any row
/// of logits can be computed. The result has the same bits at any number of threads, because rows are cut
/// into blocks of fixed size. Errors: BadValue (an id outside the vocabulary, no tokens, or more than
/// requireLength accepts), Inconsistent
/// (activations that are not finite; names layer and token), Cancelled. Memory besides the result: about
/// T*(3M + (H+2G)D)*4 bytes. Throws std::bad_alloc.
/// `textTokens`: the length that the text will reach, if it goes on (TokenPass); 0: that of `ids`. It chooses
/// between the rotations of short and long texts (ModelShape::ropeContext).
[[nodiscard]] Result<Matrix> forward(const Model& model, std::span<const std::int32_t> ids,
                                     const Attend& attend, const WorkContext& work,
                                     std::size_t textTokens = 0);

/// Fails with BadValue when the model has learned positions and fewer than `tokens`.
[[nodiscard]] Result<> requireLength(const ModelShape& shape, std::size_t tokens);

/// Logits of `rows` consecutive positions starting at `first`: fills `logits` [rows x V] from `hidden` [T x
/// M], the final soft-cap applied. The model must predict tokens (ModelShape). Thread-safe; opens an OpenMP
/// region of `threads` (0: all).
void logitRows(const Model& model, ConstMatrixView hidden, std::size_t first, MatrixView logits, int threads);

/// Applies the output projection of `layer`: y [T x M] = o [T x H*D] * Wo, before a bias, a norm of the
/// branch, and the addition to the residual stream.
void projectOutput(const Model& model, int layer, ConstMatrixView o, MatrixView y, int threads);

/// Multiply-adds of everything except attention for one token: `layers` of all layers, `logits` of the
/// vocabulary projection.
struct DenseCost {
    std::uint64_t layers = 0;
    std::uint64_t logits = 0;
};
[[nodiscard]] DenseCost denseCostPerToken(const ModelShape& shape);

} // namespace fovea
