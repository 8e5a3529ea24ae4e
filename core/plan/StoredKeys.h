#pragma once
#include "core/model/KvCache.h"
#include "core/plan/AttentionPlan.h"

namespace fovea {

/// The same reads by row of a cache that does not store every key. `plan` must read stored keys only: for a
/// retention made from its policy, plans of the newest row do. Keys that neighbour stay neighbours, since a
/// tile never spans a key that was given up.
[[nodiscard]] AttentionPlan onStoredKeys(const AttentionPlan& plan, const KeyRows& rows);

/// What one layer's later queries may read under `policy`: everything when keys are routed, pinned to queries
/// or chosen by what they are, when the window is dilated, rows lie outside a phase or something follows the
/// exact part; else the local part's reach, the sinks and the pinned keys.
[[nodiscard]] KvRetention retentionOf(const AttentionPolicy& policy, int layer);

/// A text that grows does not reach its pinned positions at once: those beyond `tokens` are left out.
[[nodiscard]] AttentionPolicy pinnedWithin(AttentionPolicy policy, std::size_t tokens);
/// Does the policy pin a position, in any head policy?
[[nodiscard]] bool pinsTokens(const AttentionPolicy& policy);

} // namespace fovea
