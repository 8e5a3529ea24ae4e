#pragma once
#include "core/measure/RowFacts.h"
#include <cstddef>
#include <optional>
#include <string>

namespace fovea {

/// What is to be said of one (query, key) pair of a head, exact: recomputed from q, k and log-sum-exp.
struct PairFacts {
    std::size_t query = 0, key = 0;
    ReadKind kind = ReadKind::NotRun;
    double logit = 0;             ///< the model's logit: scaled q.k, positions rotated in, capped if it caps
    double lse = 0;               ///< log-sum-exp of full attention's row: p = e^(logit - lse)
    double full = 0;              ///< p
    std::size_t rank = 0;         ///< of p in the row, 1: the key this query reads most
    std::optional<double> hybrid; ///< p^; empty: not run for this row yet. NaN: a recurrent state has none
    /// The same under arm A's policy, and why; empty also when arm A is full attention.
    std::optional<double> against;
    ReadKind againstKind = ReadKind::NotRun;
    LocalPart local;    ///< of the head; all keys where no plan covers the row
    std::string signal; ///< of the head's router; empty: none
    RouterFacts router; ///< where a router ranks for the head

    /// Whether the model computes the pair at all; if not, only the place and kind are set.
    [[nodiscard]] bool computed() const {
        return kind != ReadKind::AfterQuery && kind != ReadKind::OutsideNative;
    }
};

/// Of a key after the query or outside the layer's native window only the place and kind are set. `query` and
/// `key` must be tokens of the text. Cost: that of RowFacts. Any thread.
[[nodiscard]] PairFacts pairFacts(const TileSource& source, int head, std::size_t query, std::size_t key);
/// The same from a row at hand.
[[nodiscard]] PairFacts pairFacts(const TileSource& source, int head, const RowFacts& row, std::size_t key,
                                  const std::vector<float>& scores = {});

} // namespace fovea
