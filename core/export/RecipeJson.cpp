#include "core/export/RecipeJson.h"
#include "core/export/JsonParts.h"
#include <numeric>

namespace fovea {

std::string recipeJson(const DocumentHead& head, const MapRecipe& recipe, std::size_t cell,
                       const Tokens& merged, const RecipeRow& row) {
    using json::Json;
    const auto numbers = [](const std::vector<double>& values) {
        return Json::row(values, [](double value) { return json::number(value); });
    };
    const auto range = [](RowRange tokens) { return Json::array({tokens.first, tokens.last}); };
    Json out = json::document("attention", head);
    out["what"] = "combined";
    out["recipe"] = recipe.text();
    out["heads"] = Json::row(recipe.heads, [](const HeadAt& at) { return Json::array({at.layer, at.head}); });
    out["combine"] = recipe.combine == HeadCombine::Mean ? "mean" : "max";
    out["by"] = textUnitName(recipe.unit);
    out["regime"] = "isolated";
    out["cell"] = cell;
    out["tokens_of_cell"] = range(recipe.tokensOf(cell));
    std::vector<std::size_t> cells(row.full.size());
    std::iota(cells.begin(), cells.end(), std::size_t{0});
    out["cells"] = Json::row(cells, [&](std::size_t i) { return range(recipe.tokensOf(i)); });
    out["pieces"] = Json::row(cells, [&](std::size_t i) { return json::utf8(merged.pieces[i]); });
    out["full"] = numbers(row.full);
    out["hybrid"] = row.covered ? numbers(row.hybrid) : Json(nullptr);
    return json::write(out);
}

} // namespace fovea
