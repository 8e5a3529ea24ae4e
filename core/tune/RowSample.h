#pragma once
#include "core/base/RowRange.h"
#include <cstddef>
#include <vector>

namespace fovea {

/// Queries that stand for all queries of a text, in short ranges of neighbours. The text is cut into parts
/// that get shorter towards its end (the last third has half of them), and each part has one range in its
/// middle: what a policy skips grows with the position, so late queries tell more.
struct RowSample {
    std::vector<RowRange> ranges; ///< ascending, apart
    std::vector<double> weight;   ///< of each row of a range: the rows it stands for. They sum to T
    [[nodiscard]] std::size_t rows() const;
};

/// About `count` rows of a text of `tokens` tokens; all of them when there are not more. The same for the
/// same arguments.
[[nodiscard]] RowSample sampleRows(std::size_t tokens, std::size_t count = 128);

} // namespace fovea
