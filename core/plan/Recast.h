#pragma once
#include "core/plan/AttentionPlan.h"
#include <cstdint>
#include <optional>

namespace fovea {

/// Some policies change some keys before they are read, by moving them to another position or by rounding
/// them. Such keys are called *recast*. One softmax over both kinds of keys is computed from two plans, each
/// with its own q, k, v, which are merged by log-sum-exp.
enum class Recast : std::uint8_t {
    None,
    /// mix.positions cache: the position of a key is its rank among the keys that are read (Xiao et al.,
    /// StreamingLLM, 2024, 2309.17453). The distance of window keys to the query does not change by this, so
    /// only sinks outside the window are recast.
    Position,
    /// routed.store direction8: routed keys and their values are stored as length and 8-bit direction
    /// (Direction8.h). Local and always keys stay exact.
    Stored,
};
[[nodiscard]] Recast recastOf(const AttentionPlan& plan, int head);
/// How the heads of a layer recast keys. All heads that do, do it in the same way, because mix.positions
/// cache excludes routing. None: no head does.
[[nodiscard]] Recast recastOf(const AttentionPlan& plan);
/// The reason of the recast keys: all keys with this reason are recast, and no others.
[[nodiscard]] constexpr Reason reasonOf(Recast recast) {
    return recast == Recast::Position ? Reason::Always
           : recast == Recast::Stored ? Reason::Routed
                                      : Reason::Skipped;
}
/// By how many positions `query` must be moved so that its distance to a sink is the difference of their
/// ranks. 0 as long as everything before the query is read, negative afterwards.
[[nodiscard]] std::int64_t turnOf(const HeadParts& parts, std::size_t query);

/// A plan split into two plans without a common pair: unchanged keys and recast keys. Heads that recast
/// nothing occur in the first plan only. Two promises of HeadPlan do not hold for the parts: an active lane
/// may read no key (its row has no mass there), and pairs are not counted by reason.
struct RecastPlans {
    AttentionPlan asMade, recast;
};
/// Splits `plan`. Empty when no head recasts; otherwise `plan.pairsComputed()` afterwards includes what both
/// parts compute (a tile that both share is computed twice). Cost: a few steps per planned pair outside the
/// inner tiles of the window, and a copy of the plan.
[[nodiscard]] std::optional<RecastPlans> splitRecast(AttentionPlan& plan);

} // namespace fovea
