#pragma once
#include "core/model/KvCache.h"
#include "core/plan/AttentionPlan.h"

namespace fovea {

/// Translates the keys of `plan` to the rows of a cache that does not store every key. `plan` must read
/// stored keys only; plans of the newest row do, if the retention was made from the same policy. Adjacent
/// keys stay adjacent, because a tile never spans a key that was dropped.
[[nodiscard]] AttentionPlan onStoredKeys(const AttentionPlan& plan, const KeyRows& rows);

/// The tokens that later queries of one layer may read under `policy`. Never more than the layer's native
/// window reaches, unless something must see every token: a router, a far field, a sink logit, rows outside a
/// phase. Without a native window everything if keys are routed, pinned in query role or read because of
/// their kind, if the window is dilated, if rows lie outside a phase, or if something is combined with the
/// exact part (a far field, a sink logit). Otherwise the reach of the local part, the sinks and the pinned
/// keys.
[[nodiscard]] KvRetention retentionOf(const AttentionPolicy& policy, const ModelShape& shape, int layer);

/// The policy without pinned positions at or beyond `tokens`, which a growing text has not reached yet.
[[nodiscard]] AttentionPolicy pinnedWithin(AttentionPolicy policy, std::size_t tokens);
/// Whether the policy or any of its head policies pins a position.
[[nodiscard]] bool pinsTokens(const AttentionPolicy& policy);

} // namespace fovea
