#include "core/export/RecipeCsv.h"
#include "core/export/Csv.h"
#include "core/export/Report.h"
#include "core/text/Display.h"

namespace fovea {

LayerSources layerSources(const Snapshot& snapshot) {
    return [&snapshot](int layer) -> Result<TileSource> {
        const std::optional<TileSource> source = snapshot.tileSource(layer);
        if (!source)
            return fail(ErrorCode::BadValue, "layer " + std::to_string(layer) + " is not computed yet");
        return *source;
    };
}

Result<std::string> recipeCsv(const Snapshot& snapshot, const MapRecipe& recipe, const Tokens& merged,
                              RowRange queries, RowRange keys, std::size_t maxCells) {
    const std::uint64_t cells = pairsIn(snapshot.model->shape, queries, keys);
    if (cells > maxCells)
        return fail(ErrorCode::TooLarge, "attention: " + std::to_string(cells) + " cells; at most " +
                                             std::to_string(maxCells) +
                                             " are written. Choose fewer queries or keys.");
    std::string csv =
        "query,query_last,key,key_last,query_text,key_text,p,phat,recipe,regime,model,text,policy\n";
    const std::string provenance =
        ',' + csvText(recipe.text()) + ",isolated," + snapshot.model->info.sha256.substr(0, 8) + ',' +
        snapshot.textHash.substr(0, 8) + ',' + snapshot.policyHash.substr(0, 8) + '\n';
    const auto range = [&](std::size_t cell) {
        const RowRange tokens = recipe.tokensOf(cell);
        return std::to_string(tokens.first) + ',' + std::to_string(tokens.last) + ',';
    };
    for (std::size_t q = queries.first; q < queries.last; ++q) {
        const Result<RecipeRow> row = makeRecipeRow(q, recipe, layerSources(snapshot));
        FOVEA_TRY(row);
        const std::string query = range(q), queryText = csvText(escapedText(merged.pieces[q])) + ',';
        for (std::size_t k = keys.first; k < std::min(keys.last, row->full.size()); ++k)
            csv += query + range(k) + queryText + csvText(escapedText(merged.pieces[k])) + ',' +
                   csvNumber(row->full[k]) + ',' +
                   (row->covered ? csvNumber(row->hybrid[k]) : std::string()) + provenance;
    }
    return csv;
}

} // namespace fovea
