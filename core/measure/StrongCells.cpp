#include "core/measure/StrongCells.h"
#include <algorithm>
#include <cmath>

namespace fovea {

namespace {

/// By what a cell is ranked. A row that is not known of an arm has no difference and counts with full
/// attention.
double weightOf(const StrongCell& cell, const StrongCellsWish& wish) {
    const std::optional<double>& arm = wish.arm == MapArm::A ? cell.against : cell.hybrid;
    double weight = 0;
    switch (wish.by) {
    case MapQuantity::Full:
        weight = cell.full;
        break;
    case MapQuantity::Hybrid:
    case MapQuantity::Kept:
        weight = arm.value_or(cell.full);
        break;
    case MapQuantity::Difference:
        weight = arm ? *arm - cell.full : 0;
        break;
    case MapQuantity::ArmDifference:
        weight = cell.hybrid && cell.against ? *cell.hybrid - *cell.against : 0;
        break;
    }
    return std::isnan(weight) ? 0 : std::abs(weight); // a recurrent state has no weight of its own
}

bool isHidden(std::span<const std::uint8_t> hidden, std::size_t cell) {
    return cell < hidden.size() && hidden[cell] != 0;
}

struct Ranked {
    double weight = 0;
    StrongCell cell;
};

/// The weakest in front of a heap; of equal ones the later.
bool stronger(const Ranked& a, const Ranked& b) {
    if (a.weight != b.weight)
        return a.weight > b.weight;
    return a.cell.query != b.cell.query ? a.cell.query < b.cell.query : a.cell.key < b.cell.key;
}

} // namespace

Result<StrongCells> strongCells(const StrongCellsWish& wish, const LayerSources& sources,
                                const WorkContext& work) {
    const LayerSources ofA = [&](int layer) -> Result<TileSource> {
        const Result<TileSource> source = sources(layer);
        FOVEA_TRY(source);
        return againstSource(*source);
    };
    std::vector<Ranked> heap;
    StrongCells strong;
    double all = 0;
    for (std::size_t query = wish.queries.first; query < wish.queries.last; ++query) {
        FOVEA_TRY(work.checkpoint());
        if (isHidden(wish.hiddenQueries, query))
            continue;
        const Result<RecipeRow> row = makeRecipeRow(query, wish.recipe, sources);
        FOVEA_TRY(row);
        std::optional<RecipeRow> against;
        if (wish.policies) {
            Result<RecipeRow> made = makeRecipeRow(query, wish.recipe, ofA);
            FOVEA_TRY(made);
            if (made->covered)
                against = std::move(*made);
        }
        for (std::size_t key = wish.keys.first; key < std::min(wish.keys.last, row->full.size()); ++key) {
            if (isHidden(wish.hiddenKeys, key))
                continue;
            Ranked one;
            one.cell = {query, key, row->full[key], {}, {}};
            if (row->covered)
                one.cell.hybrid = row->hybrid[key];
            if (against)
                one.cell.against = against->hybrid[key];
            one.weight = weightOf(one.cell, wish);
            all += one.weight;
            ++strong.of;
            if (heap.size() >= wish.most && (heap.empty() || !stronger(one, heap.front())))
                continue;
            if (heap.size() >= wish.most) {
                std::pop_heap(heap.begin(), heap.end(), stronger);
                heap.pop_back();
            }
            heap.push_back(one);
            std::push_heap(heap.begin(), heap.end(), stronger);
        }
    }
    std::sort_heap(heap.begin(), heap.end(), stronger);
    double held = 0;
    for (const Ranked& one : heap) {
        held += one.weight;
        strong.cells.push_back(one.cell);
    }
    strong.share = all > 0 ? held / all : 1;
    return strong;
}

} // namespace fovea
