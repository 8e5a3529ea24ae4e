#pragma once
#include "core/engine/Snapshot.h"
#include <array>
#include <cstdint>
#include <optional>

namespace fovea {

/// What a count of pairs covers, for the words beside it: a part is never told as the whole.
enum class PairScope : std::uint8_t {
    AllLayers,  ///< every layer and head, from their plans
    Layer,      ///< every head of the visible layer, from its plan
    RowsInView, ///< the rows and head that were run while a slider moves
    Unrouted,   ///< the visible layer, without what will be routed: the router has not run
};

/// Query-key pairs by the reason they are read for, beside those of full attention over the same rows and
/// heads, and the work of router and state in pair equivalents (multiply-adds / 2D).
struct PairCounts {
    PairScope scope = PairScope::Layer;
    int layer = 0;
    int head = -1;                        ///< -1: all heads
    RowRange rows;                        ///< the queries counted
    std::array<std::uint64_t, 4> pairs{}; ///< by Reason: local, always, routed, far
    std::uint64_t fullPairs = 0;
    double routerPairs = 0, statePairs = 0;

    /// All of these as a share of full attention's pairs.
    [[nodiscard]] double share() const;
    /// Whether every pair of full attention is read exactly.
    [[nodiscard]] bool readsEveryPair() const;
};

/// The widest count that the snapshot supports: all layers once they are done, else the visible layer. While
/// only some rows have run, the layer is still counted whole and exactly where its plan does not depend on
/// scores (nothing is routed, no summaries), by planning all of its rows; else those rows are counted and
/// named. Empty before the text is tokenised. Cost: at most one layer's plan. Throws std::bad_alloc.
[[nodiscard]] std::optional<PairCounts> countPairs(const Snapshot& snapshot);

} // namespace fovea
