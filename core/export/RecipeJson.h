#pragma once
#include "core/export/Documents.h"
#include "core/measure/RecipeTile.h"
#include <string>

namespace fovea {

/// One row of a combined map: the recipe in words, its heads, the tokens of each cell, and both weights.
/// `merged`: one entry for each cell of the recipe (mergedTokens). "hybrid" is null where it is not known.
[[nodiscard]] std::string recipeJson(const DocumentHead& head, const MapRecipe& recipe, std::size_t cell,
                                     const Tokens& merged, const RecipeRow& row);

} // namespace fovea
