#include "core/measure/HiddenMass.h"
#include "core/route/Norms.h"
#include <algorithm>
#include <limits>
#include <numeric>

namespace fovea {

Result<HiddenMass> hiddenMass(const MapRecipe& recipe, std::span<const std::uint8_t> hiddenKeys,
                              const LayerSources& sources, const WorkContext& work) {
    HiddenMass mass;
    double full = 0, hybrid = 0, queries = 0;
    bool covered = true;
    for (std::size_t cell = 0; cell < hiddenKeys.size(); ++cell) {
        FOVEA_TRY(work.checkpoint());
        const Result<RecipeRow> row = makeRecipeRow(cell, recipe, sources);
        FOVEA_TRY(row);
        double ofFull = 0, ofHybrid = 0;
        for (std::size_t key = 0; key < std::min(hiddenKeys.size(), row->full.size()); ++key)
            if (hiddenKeys[key] != 0) {
                ofFull += row->full[key];
                ofHybrid += row->hybrid[key];
            }
        const RowRange tokens = recipe.tokensOf(cell);
        const auto weight = static_cast<double>(tokens.last - tokens.first);
        full += ofFull * weight;
        hybrid += ofHybrid * weight;
        queries += weight;
        covered = covered && row->covered;
        mass.full.push_back(static_cast<float>(ofFull));
        mass.hybrid.push_back(row->covered ? static_cast<float>(ofHybrid)
                                           : std::numeric_limits<float>::quiet_NaN());
    }
    mass.meanFull = full / std::max(1.0, queries);
    if (covered)
        mass.meanHybrid = hybrid / std::max(1.0, queries);
    return mass;
}

Result<SinkFacts> sinkFacts(const TileSource& source, int head, std::size_t sinks, const WorkContext& work) {
    const AttentionInput& in = source.input;
    const std::size_t tokens = in.v.rows;
    sinks = std::min(sinks, tokens);
    const auto width = static_cast<std::size_t>(in.headDim);
    const auto unit = static_cast<std::size_t>(head * in.kvHeads / in.heads);
    const std::vector<float> norms = rowNorms(in.v.columns(unit * width, width), tokens, 1);
    const auto meanNorm = [&](std::size_t first, std::size_t last) {
        const auto at = norms.begin();
        const double sum = std::accumulate(at + static_cast<std::ptrdiff_t>(first),
                                           at + static_cast<std::ptrdiff_t>(last), 0.0);
        return last > first ? sum / static_cast<double>(last - first) : 0.0;
    };
    TileSource plain = source; // rows of full attention alone
    plain.plan = plain.againstPlan = nullptr;
    plain.hybridLse = plain.againstLse = {};
    SinkFacts facts;
    facts.sinkNorm = meanNorm(0, sinks);
    facts.otherNorm = meanNorm(sinks, tokens);
    for (std::size_t query = 0; query < tokens; ++query) {
        FOVEA_TRY(work.checkpoint());
        const std::vector<float> row = makeRow(head, query, plain).full;
        double mass = 0, weighted = 0, all = 0;
        for (std::size_t key = 0; key < row.size(); ++key) {
            const double x = static_cast<double>(row[key]) * static_cast<double>(norms[key]);
            all += x;
            if (key < sinks) {
                mass += static_cast<double>(row[key]);
                weighted += x;
            }
        }
        facts.mass += mass / static_cast<double>(tokens);
        facts.weightedMass += all > 0 ? weighted / all / static_cast<double>(tokens) : 0;
    }
    return facts;
}

} // namespace fovea
