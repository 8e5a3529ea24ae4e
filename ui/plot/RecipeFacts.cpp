#include "ui/plot/RecipeFacts.h"
#include "core/export/RecipeCsv.h"
#include "core/text/Display.h"
#include "ui/plot/MapFacts.h"
#include "ui/plot/NumberText.h"
#include <QObject>
#include <QStringList>
#include <algorithm>

namespace fovea::ui {

Result<RecipeFacts> recipeFacts(const Snapshot& snapshot, const MapRecipe& recipe, RowRange queries,
                                RowRange keys, const WorkContext& work) {
    RecipeFacts facts;
    facts.queries = queries;
    facts.keys = keys;
    facts.query = queries.first;
    facts.key = keys.first;
    const LayerSources sources = layerSources(snapshot);
    const LayerSources others = [&](int layer) -> Result<TileSource> {
        const Result<TileSource> source = sources(layer);
        FOVEA_TRY(source);
        return againstSource(*source);
    };
    double most = -1;
    for (std::size_t query = queries.first; query < queries.last; ++query) {
        FOVEA_TRY(work.checkpoint());
        const Result<RecipeRow> row = makeRecipeRow(query, recipe, sources);
        FOVEA_TRY(row);
        const std::size_t before = facts.key;
        const double start = most;
        for (std::size_t key = keys.first; key < std::min(keys.last, row->full.size()); ++key)
            if (row->full[key] > most) {
                most = row->full[key];
                facts.key = key;
            }
        if (most == start && before == facts.key)
            continue;
        facts.query = query;
        facts.full = most;
        facts.hybrid = row->covered ? std::optional(row->hybrid[facts.key]) : std::nullopt;
        if (!snapshot.against)
            continue;
        const Result<RecipeRow> other = makeRecipeRow(query, recipe, others);
        FOVEA_TRY(other);
        facts.against = other->covered ? std::optional(other->hybrid[facts.key]) : std::nullopt;
    }
    return facts;
}

QString recipeText(const RecipeFacts& facts, const MapRecipe& recipe, const Tokens& labels) {
    const auto cell = [&](std::size_t at) {
        const RowRange tokens = recipe.tokensOf(at);
        return QStringLiteral("%1 \"%2\"")
            .arg(tokenRangeWords(tokens), QString::fromStdString(displayText(labels.pieces[at], 40)));
    };
    QStringList lines;
    const std::size_t cells =
        (facts.queries.last - facts.queries.first) * (facts.keys.last - facts.keys.first);
    if (cells > 1)
        lines << QObject::tr("the strongest of %1 cells:").arg(cells);
    if (facts.key > facts.query && facts.full == 0)
        lines << QObject::tr("key %1 comes after query %2").arg(cell(facts.key), cell(facts.query));
    else {
        lines << QObject::tr("query %1  reads  key %2").arg(cell(facts.query), cell(facts.key));
        QString weights = QObject::tr("p %1").arg(threeDigits(facts.full));
        if (facts.against)
            weights += QObject::tr("   A %1").arg(threeDigits(*facts.against));
        if (facts.hybrid)
            weights += QObject::tr("   B %1   B - A %2")
                           .arg(threeDigits(*facts.hybrid),
                                signedThreeDigits(*facts.hybrid - facts.against.value_or(facts.full)));
        lines << weights;
    }
    lines << QString::fromStdString(recipe.text());
    return lines.join(QLatin1Char('\n'));
}

} // namespace fovea::ui
