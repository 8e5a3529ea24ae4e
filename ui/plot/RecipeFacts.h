#pragma once
#include "core/engine/Snapshot.h"
#include "core/measure/RecipeTile.h"
#include <QString>
#include <optional>

namespace fovea::ui {

/// What is to be said of a rectangle of cells of a combined map; of one cell, or of those that a pixel pools.
struct RecipeFacts {
    RowRange queries, keys;         ///< cells
    std::size_t query = 0, key = 0; ///< the cell that weighs most in full attention
    double full = 0;                ///< its weight
    std::optional<double> hybrid;   ///< under arm B; empty: not known
    std::optional<double> against;  ///< under arm A, where it is a policy
};

/// Ranges are half open and inside the map; the snapshot must have the recipe's layers. Any thread. Errors:
/// those of makeRecipeRow, Cancelled. Cost: a row of attention for each query and head.
[[nodiscard]] Result<RecipeFacts> recipeFacts(const Snapshot& snapshot, const MapRecipe& recipe,
                                              RowRange queries, RowRange keys, const WorkContext& work);
/// A tooltip. `labels`: one for each cell.
[[nodiscard]] QString recipeText(const RecipeFacts& facts, const MapRecipe& recipe, const Tokens& labels);

} // namespace fovea::ui
