#pragma once
#include "core/measure/MapTile.h"
#include <cstddef>
#include <cstdint>
#include <vector>

// Questions about one head of a planned layer that every view and command answers alike. All are cheap and
// thread-safe; `head` must be a head of the plan.
namespace fovea {

/// Does something beside the keys that it reads take part in the head's softmax or output (a far field, a
/// sink logit)? Then a row that reads every key may still differ from full attention's.
[[nodiscard]] bool readsBesideKeys(const AttentionPlan& plan, int head);

/// [T] 1: the router chose the token to read everything before it. Empty when it chose none.
[[nodiscard]] std::vector<std::uint8_t> queryRoles(const AttentionPlan& plan, int head);

/// Is the hybrid row of `query` known? False without a plan, for rows outside the plan, and for rows whose
/// log-sum-exp is not computed yet.
[[nodiscard]] bool covers(const TileSource& source, int head, std::size_t query);

/// `source` itself where it covers the row, else `source` without its hybrid half: full attention only.
[[nodiscard]] TileSource coveredSource(const TileSource& source, int head, std::size_t query);

} // namespace fovea
