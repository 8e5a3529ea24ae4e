#pragma once
#include "core/plan/AttentionPlan.h"
#include <cstddef>

namespace fovea {

/// The first query below `end` that two plans of the same head compute otherwise: its block has other
/// queries or other items. `end` if there is none. A kernel computes each lane by itself, so a query with the
/// same block, lane, q, k and v has the same output bits under both plans.
/// Both plans are of the same text. Cost: their size. Thread-safe. Throws std::bad_alloc.
[[nodiscard]] std::size_t firstReplanned(const HeadPlan& a, const HeadPlan& b, std::size_t end);

} // namespace fovea
