#pragma once
#include "core/engine/Snapshot.h"
#include <optional>

namespace fovea {

/// What one head of one layer does under the snapshot's policy, as one policy without layer and head names:
/// layers kept full, head policies and mix.full_heads resolved. Empty while that is not known: mix.full_heads
/// ranks retrieval scores that a run measures. The snapshot must have request, model and facts; any thread.
[[nodiscard]] std::optional<AttentionPolicy> headPolicy(const Snapshot& snapshot, int layer, int head);

} // namespace fovea
