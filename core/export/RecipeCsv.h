#pragma once
#include "core/engine/Snapshot.h"
#include "core/measure/RecipeTile.h"
#include <string>

namespace fovea {

/// A rectangle of cells of a combined map as CSV: the tokens of both cells (query_last and key_last are one
/// past the end), their texts, both weights, and in each row the recipe in words and the first 8 hexadecimal
/// digits of the SHA-256 of model, text and policy. Hybrid is empty where it is not known. `merged`: one
/// entry for each cell (mergedTokens). Errors: BadValue (a layer of the recipe is not there), TooLarge (more
/// than `maxCells`). Cost: that of makeRecipeRow for each row.
[[nodiscard]] Result<std::string> recipeCsv(const Snapshot& snapshot, const MapRecipe& recipe,
                                            const Tokens& merged, RowRange queries, RowRange keys,
                                            std::size_t maxCells);

/// The sources of a snapshot's layers; the snapshot must outlive the result. Error: BadValue for a layer that
/// is not there.
[[nodiscard]] LayerSources layerSources(const Snapshot& snapshot);

} // namespace fovea
