#pragma once
#include "core/kernels/Attention.h"
#include "core/plan/Recast.h"
#include <cstddef>

namespace fovea {

/// Rows `rows` of q moved to where their sinks' ranks put them (Recast::Position), for the heads that recast
/// so; the others' are 0. Row r of the result is query rows.first + r. `head` < 0: all. Opens an OpenMP
/// region of `threads`. Throws std::bad_alloc.
[[nodiscard]] Matrix turnedQueries(const AttentionPlan& plan, const AttentionInput& in, RowRange rows,
                                   int head, int threads);

/// As logitTile, with every key of the tile in the form in which `head` reads its recast keys: views take
/// those logits for keys of reasonOf(recastOf(plan, head)). Single-threaded. Throws std::bad_alloc.
void recastLogitTile(const AttentionPlan& plan, const AttentionInput& in, int head, std::size_t query,
                     std::size_t key, MatrixView s, Isa isa);

} // namespace fovea
