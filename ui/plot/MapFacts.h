#pragma once
#include "core/engine/Snapshot.h"
#include "core/measure/BlockFacts.h"
#include "core/measure/PairFacts.h"
#include "ui/plot/MapRaster.h"
#include <QString>
#include <optional>

// Facts of core/measure in words: what a tip, the inspector and a status line say of pairs and blocks. Texts
// are plain.
namespace fovea::ui {

/// The facts of a pair of a snapshot's layer; empty where the layer, the head or one of the tokens is not
/// there.
[[nodiscard]] std::optional<PairFacts> pairFacts(const Snapshot& snapshot, int layer, int head, int query,
                                                 int key);
/// The same of a block of pairs of a pane.
[[nodiscard]] std::optional<BlockFacts> blockFacts(const Snapshot& snapshot, int layer, int head,
                                                   MapPane pane, RowRange queries, RowRange keys);

/// "#0-#3" with an en dash, for one token "#0".
[[nodiscard]] QString tokenRangeWords(RowRange tokens);

/// A tooltip of three lines.
[[nodiscard]] QString pairText(const PairFacts& facts, const Tokens& tokens, int layer, int head);
/// A tooltip of two lines; `quantity` as given to blockFacts.
[[nodiscard]] QString blockText(const BlockFacts& facts, MapQuantity quantity);

/// Why the pair is read or not in a few words, for a table: "sink", "routed, 9/32".
[[nodiscard]] QString shortReason(ReadKind kind, const RouterFacts& router);
/// The same in a sentence: "routed, key role: group_dot 5.81, threshold 5.20, rank 9 of 32".
[[nodiscard]] QString longReason(const PairFacts& facts);

} // namespace fovea::ui
