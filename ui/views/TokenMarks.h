#pragma once
#include "core/engine/Snapshot.h"
#include <cstdint>
#include <vector>

namespace fovea::ui {

/// The role of a token, drawn as a shape below its word.
enum TokenMark : std::uint8_t {
    AlwaysMark = 1, ///< square: sink or pinned
    KeyMark = 2,    ///< triangle down: routed, later queries may read it
    QueryMark = 4,  ///< triangle right: routed or pinned to read everything before it
};

/// Height under a word that its marks take.
inline constexpr double kMarkRoom = 7;

/// One set of TokenMark bits per token of the visible layer and `head`; `query` >= 0: keys routed for that
/// query, else for any. Empty while the layer has no plan. Cost: the routed choices of one head.
[[nodiscard]] std::vector<std::uint8_t> makeTokenMarks(const Snapshot& snapshot, int layer, int head,
                                                       int query);

} // namespace fovea::ui
