#pragma once
#include "core/engine/Snapshot.h"
#include <QString>
#include <optional>

namespace fovea::ui {

/// What is to be said about one cell of the map, exact: recomputed from q, k and log-sum-exp, never read from
/// tiles.
struct PairFacts {
    int layer = 0, head = 0, query = 0, key = 0;
    bool impossible = false;
    double full = 0;                 ///< p
    int fullRank = 0;                ///< 1: the key this query reads most
    double score = 0;                ///< scaled q.k
    std::optional<double> hybrid;    ///< p^; empty: not computed for this row yet
    Reason reason = Reason::Skipped; ///< valid with hybrid
    Role role = Role::Keys;          ///< of a routed key
    bool fullLayer = false;          ///< the policy keeps this layer full
    QString signal;                  ///< of the router, empty: nothing is routed
    std::optional<double> signalScore, threshold;
    int signalRank = 0, budget = 0;
    QString alwaysKind; ///< "sink", "pinned", "special", "punctuation"
    int window = 0;     ///< of the policy, 0: all
};
/// Cost: `query` dot products. Any thread. Empty when the layer is not there.
[[nodiscard]] std::optional<PairFacts> pairFacts(const Snapshot& snapshot, int layer, int head, int query,
                                                 int key);
/// The tooltip's three lines, plain text.
[[nodiscard]] QString pairText(const PairFacts& facts, const Tokens& tokens);

/// [T] 1 where the router chose the token to read everything before it; empty when it chose none.
[[nodiscard]] std::vector<std::uint8_t> queryRoles(const AttentionPlan& plan, int head);

/// A block of cells that one pixel shows.
struct BlockFacts {
    RowRange queries, keys;
    double largest = 0;
    int largestQuery = 0, largestKey = 0;
    double mass = 0;                 ///< sum over keys, mean over queries
    std::optional<double> keptShare; ///< of its causal pairs
};
/// For full attention, hybrid or their difference (largest by magnitude). Cost: queries x T dot products.
[[nodiscard]] std::optional<BlockFacts> blockFacts(const Snapshot& snapshot, int layer, int head,
                                                   MapQuantity quantity, RowRange queries, RowRange keys);
[[nodiscard]] QString blockText(const BlockFacts& facts);

/// Why the router chose: "group_dot 5.81, threshold 5.20, rank 9 of 32".
[[nodiscard]] QString routingText(const PairFacts& facts);

} // namespace fovea::ui
