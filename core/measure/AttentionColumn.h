#pragma once
#include "core/measure/MapTile.h"
#include <cstddef>
#include <vector>

namespace fovea {

/// One column of a head's map: the weight that every query from `key` on gives to that key. The counterpart
/// of AttentionRow.
struct AttentionColumn {
    std::size_t key = 0;
    std::vector<float> full;    ///< [T-key] weight p of query key + i; 0 outside its native window
    std::vector<float> hybrid;  ///< [T-key] hybrid weight p^; 0 for a key that is not read, NaN for a query
                                ///< that the plan does not cover
    std::vector<Reason> reason; ///< [T-key]
};

/// Cost: T - key dot products of length D, and one look at the kept keys of every later query.
/// Single-threaded.
[[nodiscard]] AttentionColumn makeColumn(int head, std::size_t key, const TileSource& source);

} // namespace fovea
