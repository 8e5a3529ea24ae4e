#pragma once
#include "core/kernels/Attention.h"
#include "core/plan/Recast.h"
#include <cstddef>

namespace fovea {

/// Queries `rows`, rotated to the positions from which they read sinks under Recast::Position. Heads that do
/// not recast get 0. Row r of the result is query rows.first + r. `head` < 0: all heads. Opens an OpenMP
/// region of `threads`. Throws std::bad_alloc.
[[nodiscard]] Matrix turnedQueries(const AttentionPlan& plan, const AttentionInput& in, RowRange rows,
                                   int head, int threads);

/// Like logitTile, but with every key of the tile in the form in which `head` reads its recast keys. Views
/// use these logits for keys whose reason is reasonOf(recastOf(plan, head)). Single-threaded. Throws
/// std::bad_alloc.
void recastLogitTile(const AttentionPlan& plan, const AttentionInput& in, int head, std::size_t query,
                     std::size_t key, MatrixView s, Isa isa);

} // namespace fovea
