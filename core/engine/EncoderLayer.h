#pragma once
#include "core/engine/LayerRun.h"

namespace fovea {

/// runLayer for an encoder, whose queries read both directions. Nothing is routed. The plan is that of
/// makeBidirectionalPlan, or the model's own where the policy keeps the layer full. With far.far projection
/// (Wang et al., Linformer, 2020, 2006.04768) every query reads, in one softmax, the means of the keys and
/// values of each `m` consecutive tokens: an untrained stand-in for the projections E and F, which are
/// trained for one fixed n. All rows of the text are computed, whatever rows the task asks for. `out.lse` is
/// as in `attend`. Errors: those of makeBidirectionalPlan, Cancelled. Throws std::bad_alloc.
[[nodiscard]] Result<HybridLayer> runEncoderLayer(const LayerTask& task, const AttentionInput& input,
                                                  AttentionOutput out, const WorkContext& work,
                                                  std::span<float> exactLse);

/// The plan of runEncoderLayer, over the whole text. Errors: those of makeBidirectionalPlan, Unsupported for
/// a projection among them.
[[nodiscard]] Result<AttentionPlan> planOfEncoderLayer(const std::shared_ptr<const AttentionPolicy>& policy,
                                                       const ModelShape& shape, int layer,
                                                       std::shared_ptr<const TokenFacts> facts);

/// Whether any key is read more than once (BigBird's random blocks).
[[nodiscard]] bool repeatsKeys(const AttentionPlan& plan);

/// The means of each `m` consecutive rows, the last one of what is left: [ceil(rows / m) x cols].
[[nodiscard]] Matrix meansOfRows(ConstMatrixView x, std::size_t m);

} // namespace fovea
