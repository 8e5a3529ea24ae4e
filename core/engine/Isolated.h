#pragma once
#include "core/base/Cancel.h"
#include "core/engine/Snapshot.h"
#include <functional>

namespace fovea {

// Isolated hybrid runs: each layer gets the full run's activations, so that errors do not add up. Both need a
// snapshot with model, tokens and facts, and throw std::bad_alloc.

/// The isolated hybrid of one layer for rows and one head (or all: -1). The layer's activations must be
/// there; a complete full run is not needed. Measures fidelity when all rows and heads are asked. Errors:
/// those of runLayer, Cancelled.
[[nodiscard]] Result<VisibleLayer> runVisible(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                              int layer, int head, RowRange rows, const WorkContext& work,
                                              Matrix* output = nullptr);
/// Every layer isolated; `layerDone` after each. `known`, if it is the whole of its layer under the same
/// policy, is not computed again. Needs a complete full run. Errors: those of runVisible.
[[nodiscard]] Result<IsolatedResult> runIsolated(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                                 const VisibleLayer* known,
                                                 const std::function<void(const IsolatedResult&)>& layerDone,
                                                 const WorkContext& work);

} // namespace fovea
