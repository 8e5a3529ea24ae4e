#pragma once
#include "core/engine/Sweep.h"
#include <memory>

namespace fovea::ui {

/// The grid that the curve shows for `tokens` of text: windows and routed counts around `base`. Of an encoder
/// (`causal` false), which routes nothing: windows to both sides, or the rows of a projection.
[[nodiscard]] SweepPlan curveGrid(const AttentionPolicy& base, std::size_t tokens, bool causal = true);

/// The policy without what the grid itself varies: two policies with the same answer share their points.
[[nodiscard]] AttentionPolicy gridBase(AttentionPolicy policy);

/// What one point of a sweep takes, a propagated run and an isolated one, in seconds. An estimate from the
/// newest result (`complete`), or from the full run where that is null.
[[nodiscard]] double secondsPerPoint(const std::shared_ptr<const Snapshot>& complete, const FullRun& full);

} // namespace fovea::ui
