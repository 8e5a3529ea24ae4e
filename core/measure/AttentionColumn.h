#pragma once
#include "core/measure/MapTile.h"
#include <cstddef>
#include <vector>

namespace fovea {

/// One column of a head's map: what every query from `key` on reads from that key. The twin of AttentionRow.
struct AttentionColumn {
    std::size_t key = 0;
    std::vector<float> full;    ///< [T-key] p of query key + i
    std::vector<float> hybrid;  ///< [T-key] p^; 0 where skipped, NaN where the plan does not cover the query
    std::vector<Reason> reason; ///< [T-key]
};

/// Cost: T - key dot products of D, and the kept keys of every later query. Single-threaded.
[[nodiscard]] AttentionColumn makeColumn(int head, std::size_t key, const TileSource& source);

} // namespace fovea
