#pragma once
#include "core/engine/Snapshot.h"
#include "core/model/Forward.h"
#include <functional>
#include <span>

namespace fovea {

/// What one layer of the propagated hybrid run read: its own inputs, plan (with routing) and log-sum-exp
/// [T*H]. Views live for the call only.
struct WatchedLayer {
    const LayerInput& input;
    const AttentionPlan& plan;
    std::span<const float> lse;
};
/// Called once per layer, in order, on the calling thread; an error ends the run with it.
using WatchLayer = std::function<Result<>(const WatchedLayer&)>;

/// Repeats the propagated hybrid run of `policy` and shows each layer to `watch`: for attention rows in the
/// propagated regime and the expanded routing record, which nobody keeps in memory. Same choices as
/// runPropagated. Cost: one hybrid run without logits. Errors: those of routing and planning, of `watch`,
/// Cancelled. Throws std::bad_alloc.
[[nodiscard]] Result<> watchHybrid(const Snapshot& snapshot, const AttentionPolicy& policy,
                                   const WatchLayer& watch, const WorkContext& work);

} // namespace fovea
