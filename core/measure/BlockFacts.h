#pragma once
#include "core/base/Cancel.h"
#include "core/measure/MapTile.h"
#include <cstddef>
#include <optional>

namespace fovea {

/// A block of pairs that one pixel of the map shows, from all of its pairs that the model computes: causal
/// ones inside the native window. The values agree with MapTile's for the same cell.
struct BlockFacts {
    RowRange queries, keys;
    std::size_t pairs = 0;       ///< that the model computes
    std::size_t rows = 0;        ///< queries with at least one such pair
    std::size_t coveredRows = 0; ///< of those, rows whose hybrid is known
    /// Empty where the quantity needs the hybrid and a row of it is not run yet; then neither value is known.
    struct Values {
        double largest = 0; ///< by magnitude
        std::size_t query = 0, key = 0;
        double mass = 0; ///< sum over keys, mean over the block's queries
    };
    std::optional<Values> values;
    /// Pairs read exactly, and those that a far field stands for. Empty until every row is covered.
    struct Read {
        std::size_t kept = 0, far = 0;
    };
    std::optional<Read> read;
    [[nodiscard]] double keptShare() const { ///< of these pairs; needs `read`
        return pairs == 0 ? 0 : static_cast<double>(read->kept) / static_cast<double>(pairs);
    }
};

/// Any quantity; of Kept the values are full attention's. ArmDifference needs the rows of both arms, and
/// `read` is arm B's. For arm A pass againstSource(). Ranges are half open and inside the text. Cost: a row
/// of attention for each query of the block; when `work` is cancelled the rest is left out, and neither
/// `values` nor `read` is known. Any thread.
[[nodiscard]] BlockFacts blockFacts(const TileSource& source, int head, MapQuantity quantity,
                                    RowRange queries, RowRange keys, const WorkContext& work = {});

} // namespace fovea
