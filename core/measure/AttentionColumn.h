#pragma once
#include "core/measure/MapTile.h"
#include <cstddef>
#include <vector>

namespace fovea {

/// One column of a head's map: the weight that every query that the model lets read `key` gives to it, those
/// from `key` on or, in an encoder, all. The counterpart of AttentionRow.
struct AttentionColumn {
    std::size_t key = 0;
    std::size_t first = 0;      ///< the first query
    std::vector<float> full;    ///< [T-first] weight p of query first + i; 0 outside its native window
    std::vector<float> hybrid;  ///< [T-first] hybrid weight p^; 0 for a key that is not read, NaN for a query
                                ///< that the plan does not cover
    std::vector<Reason> reason; ///< [T-first]
};

/// Cost: T - first dot products of length D, and one look at the kept keys of each of these queries.
/// Single-threaded.
[[nodiscard]] AttentionColumn makeColumn(int head, std::size_t key, const TileSource& source);

} // namespace fovea
