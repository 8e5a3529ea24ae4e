#pragma once
#include "core/plan/AttentionPlan.h"
#include <cstdint>
#include <optional>

namespace fovea {

/// Some policies read some keys otherwise than the model made them; those keys are *recast*. One softmax over
/// both kinds then comes from two plans, each with its own q, k, v, merged by log-sum-exp.
enum class Recast : std::uint8_t {
    None,
    /// mix.positions cache: a key stands at its rank among the keys that are read (Xiao et al., StreamingLLM,
    /// 2024, 2309.17453). Keys of the window keep their distance to the query, so only sinks outside it are
    /// recast.
    Position,
    /// routed.store direction8: routed keys and their values are read back from length and 8-bit direction
    /// (Direction8.h); local and always keys are exact.
    Stored,
};
[[nodiscard]] Recast recastOf(const AttentionPlan& plan, int head);
/// How the heads of a layer recast that do: all in one way, since positions of the cache take no routing.
/// None: none does.
[[nodiscard]] Recast recastOf(const AttentionPlan& plan);
/// The reason of the keys that `recast` recasts: all keys read for it, and no others.
[[nodiscard]] constexpr Reason reasonOf(Recast recast) {
    return recast == Recast::Position ? Reason::Always
           : recast == Recast::Stored ? Reason::Routed
                                      : Reason::Skipped;
}
/// Positions that `query` must be moved by to stand to a sink as their ranks do: 0 while everything before it
/// is read, then back to that row.
[[nodiscard]] std::int64_t turnOf(const HeadParts& parts, std::size_t query);

/// One plan as two that share no pair: keys as the model made them, and recast keys. Heads that recast
/// nothing stand in the first alone. Neither part keeps all that a HeadPlan says of itself: an active lane
/// may read no key of it (its row has no mass there), and pairs are not told apart by reason.
struct RecastPlans {
    AttentionPlan asMade, recast;
};
/// Empty where no head recasts; else `plan` counts as computed what both parts compute (a tile that both
/// share is computed twice). Cost: a few steps per planned pair outside the window's inner tiles, a copy of
/// the plan.
[[nodiscard]] std::optional<RecastPlans> splitRecast(AttentionPlan& plan);

} // namespace fovea
