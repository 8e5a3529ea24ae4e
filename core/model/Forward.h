#pragma once
#include "core/base/Cancel.h"
#include "core/base/Matrix.h"
#include "core/base/Result.h"
#include "core/model/Model.h"
#include <cstdint>
#include <functional>
#include <span>

namespace fovea {

/// One layer's attention inputs, positions already rotated in (half-split RoPE). Views live for the call
/// only.
struct LayerInput {
    int layer = 0;
    ConstMatrixView x; ///< [T x M], the residual stream that enters the layer
    ConstMatrixView q; ///< [T x H*D], head h in columns h*D .. h*D+D-1
    ConstMatrixView k; ///< [T x G*D]
    ConstMatrixView v; ///< [T x G*D]
};

/// Computes attention for one layer: fills `o` [T x H*D], before the output projection. Called once per
/// layer, in order, on the calling thread, outside any OpenMP region; it may open its own.
using Attend = std::function<Result<>(const LayerInput& in, MatrixView o)>;

/// Runs the layer stack over `ids`. Returns the hidden states after the last norm [T x M], from which any row
/// of logits can be computed. Same bits at any thread count: rows are cut in blocks of fixed size. Errors:
/// BadValue (an id outside the vocabulary, no token), Inconsistent (non-finite activations, names layer and
/// token), Cancelled. Memory besides the result: about T*(3M + (H+2G)D)*4 bytes. Throws std::bad_alloc.
[[nodiscard]] Result<Matrix> forward(const Model& model, std::span<const std::int32_t> ids,
                                     const Attend& attend, const WorkContext& work);

/// Logits of `rows` consecutive positions starting at `first`: fills `logits` [rows x V] from `hidden` [T x
/// M]. Thread-safe; opens an OpenMP region of `threads` (0: all).
void logitRows(const Model& model, ConstMatrixView hidden, std::size_t first, MatrixView logits, int threads);

/// y [T x M] = o [T x H*D] * Wo of `layer`: attention output after the output projection, before it joins the
/// residual.
void projectOutput(const Model& model, int layer, ConstMatrixView o, MatrixView y, int threads);

/// Multiply-adds of everything but attention for one token (all layers, without and with the vocabulary
/// projection).
struct DenseCost {
    std::uint64_t layers = 0;
    std::uint64_t logits = 0;
};
[[nodiscard]] DenseCost denseCostPerToken(const ModelShape& shape);

} // namespace fovea
