#include "core/measure/RecipeTile.h"
#include "core/base/Check.h"
#include "core/measure/HeadReads.h"
#include <algorithm>
#include <cmath>
#include <map>

namespace fovea {

namespace {

/// The sums of one row of cells at level 0, per column.
struct RowSums {
    std::vector<float> value; ///< over keys and queries; NaN: a row of the hybrid is not known
    std::vector<float> kept, far, pairs;
    std::vector<CellState> state;

    explicit RowSums(std::size_t columns)
        : value(columns, 0), kept(columns, 0), far(columns, 0), pairs(columns, 0),
          state(columns, CellState::Impossible) {}
};

/// The pairs of one token tile, combined over the heads.
struct Combined {
    std::vector<float> value = std::vector<float>(kTile * kTile);
    std::vector<float> kept = std::vector<float>(kTile * kTile);  ///< heads that read the pair exactly
    std::vector<float> far = std::vector<float>(kTile * kTile);   ///< heads that see it through a far field
    std::vector<float> pairs = std::vector<float>(kTile * kTile); ///< heads whose model computes the pair
    std::vector<CellState> state = std::vector<CellState>(kTile * kTile, CellState::Impossible);

    void clear() {
        std::fill(value.begin(), value.end(), 0.0F);
        std::fill(kept.begin(), kept.end(), 0.0F);
        std::fill(far.begin(), far.end(), 0.0F);
        std::fill(pairs.begin(), pairs.end(), 0.0F);
        std::fill(state.begin(), state.end(), CellState::Impossible);
    }
    void add(const MapTile& tile, HeadCombine combine) {
        for (std::size_t i = 0; i < value.size(); ++i) {
            const CellState cell = tile.state[i];
            if (cell == CellState::Impossible)
                continue;
            state[i] = std::min(state[i], cell);
            if (cell == CellState::Outside)
                continue;
            pairs[i] += 1;
            kept[i] += cell < CellState::Far ? 1.0F : 0.0F;
            far[i] += cell == CellState::Far ? 1.0F : 0.0F;
            const float x = tile.value[i];
            if (combine == HeadCombine::Mean)
                value[i] += x;
            else if (std::isnan(x) || std::abs(x) > std::abs(value[i]))
                value[i] = x; // a value that is not known stays: no comparison with it holds
        }
    }
};

class RecipeMaker {
public:
    RecipeMaker(MapTile& tile, const MapRecipe& recipe, std::size_t tokens)
        : m_tile(tile), m_recipe(recipe), m_tokens(tokens), m_cells(recipe.cells(tokens)),
          m_side(std::size_t{1} << tile.key.level), m_rows(cellRange(tile.key.row)),
          m_columns(cellRange(tile.key.col)) {}

    [[nodiscard]] bool empty() const {
        return m_rows.first >= m_rows.last || m_columns.first >= m_columns.last;
    }
    [[nodiscard]] RowRange queries() const { return tokensOf(m_rows); }
    [[nodiscard]] RowRange keys() const { return tokensOf(m_columns); }

    void allocate() {
        m_tile.value.assign(kTile * kTile, 0);
        m_tile.state.assign(kTile * kTile, CellState::Impossible);
        m_tile.keptShare.assign(kTile * kTile, 0);
        m_pairs.assign(kTile * kTile, 0);
        if (m_tile.key.quantity == MapQuantity::Kept)
            m_tile.farShare.assign(kTile * kTile, 0);
    }

    /// Adds the pairs of the token tile at (row, column).
    void add(const Combined& pairs, std::size_t row, std::size_t column) {
        const RowRange queries = clipped(row, this->queries()), keys = clipped(column, this->keys());
        const float heads = static_cast<float>(m_recipe.heads.size());
        const float scale = m_recipe.combine == HeadCombine::Mean ? 1 / heads : 1;
        for (std::size_t query = queries.first; query < queries.last; ++query) {
            const std::size_t cell = m_recipe.cellOf(query);
            RowSums& sums = m_open.try_emplace(cell, m_columns.last - m_columns.first).first->second;
            const std::size_t from = (query - row * kTile) * kTile;
            std::size_t at = m_recipe.cellOf(keys.first);
            std::size_t end = m_recipe.tokensOf(at).last;
            for (std::size_t key = keys.first; key < keys.last; ++key) {
                if (key >= end)
                    end = m_recipe.tokensOf(++at).last;
                const std::size_t i = from + key - column * kTile, c = at - m_columns.first;
                sums.value[c] += scale * pairs.value[i];
                sums.kept[c] += pairs.kept[i];
                sums.far[c] += pairs.far[i];
                sums.pairs[c] += pairs.pairs[i];
                sums.state[c] = std::min(sums.state[c], pairs.state[i]);
            }
        }
    }

    /// Pools the rows of cells whose queries lie before `query`; no pair of them is added any more.
    void closeBefore(std::size_t query) {
        while (!m_open.empty() && m_recipe.tokensOf(m_open.begin()->first).last <= query) {
            pool(m_open.begin()->first, m_open.begin()->second);
            m_open.erase(m_open.begin());
        }
    }

    void finish() {
        closeBefore(m_tokens);
        for (std::size_t i = 0; i < kTile * kTile; ++i) {
            const float pairs = std::max(m_pairs[i], 1.0F);
            m_tile.keptShare[i] /= pairs;
            if (m_tile.key.quantity == MapQuantity::Kept) {
                m_tile.farShare[i] /= pairs;
                if (!std::isnan(m_tile.value[i]))
                    m_tile.value[i] = m_tile.keptShare[i];
            } else if (m_tile.key.pooling == Pooling::Mass && m_side > 1) {
                const std::size_t row = m_rows.first + i / kTile * m_side;
                if (row < m_rows.last)
                    m_tile.value[i] /= static_cast<float>(std::min(row + m_side, m_rows.last) - row);
            }
        }
    }

private:
    [[nodiscard]] RowRange cellRange(std::uint32_t tile) const {
        const std::size_t first = tile * kTile * m_side;
        return {std::min(first, m_cells), std::min(first + kTile * m_side, m_cells)};
    }
    [[nodiscard]] RowRange tokensOf(RowRange cells) const {
        return {m_recipe.tokensOf(cells.first).first, m_recipe.tokensOf(cells.last - 1).last};
    }
    [[nodiscard]] static RowRange clipped(std::size_t tile, RowRange range) {
        return {std::max(tile * kTile, range.first), std::min((tile + 1) * kTile, range.last)};
    }

    void pool(std::size_t cell, const RowSums& sums) {
        const RowRange queries = m_recipe.tokensOf(cell);
        const auto count = static_cast<float>(queries.last - queries.first);
        const std::size_t row = (cell - m_rows.first) / m_side * kTile;
        for (std::size_t c = 0; c < sums.value.size(); ++c) {
            if (sums.state[c] == CellState::Impossible)
                continue;
            const std::size_t at = row + c / m_side;
            const float x = sums.value[c] / count;
            float& value = m_tile.value[at];
            if (m_tile.key.pooling == Pooling::Mass || std::isnan(x))
                value += x;
            else if (std::abs(x) > std::abs(value))
                value = x;
            m_tile.state[at] = std::min(m_tile.state[at], sums.state[c]);
            m_tile.keptShare[at] += sums.kept[c];
            if (!m_tile.farShare.empty())
                m_tile.farShare[at] += sums.far[c];
            m_pairs[at] += sums.pairs[c];
        }
    }

    MapTile& m_tile;
    const MapRecipe& m_recipe;
    std::size_t m_tokens, m_cells, m_side;
    RowRange m_rows, m_columns;
    std::vector<float> m_pairs;            ///< [kTile*kTile]
    std::map<std::size_t, RowSums> m_open; ///< rows of cells that still get pairs
};

} // namespace

std::string MapRecipe::text() const {
    std::string where;
    if (heads.size() == 1) {
        where = "L" + std::to_string(heads[0].layer) + " H" + std::to_string(heads[0].head);
    } else {
        where = combine == HeadCombine::Mean ? "mean of " : "maximum of ";
        bool oneLayer = true, run = true;
        for (std::size_t i = 1; i < heads.size(); ++i) {
            oneLayer = oneLayer && heads[i].layer == heads[0].layer;
            run = run && heads[i].head == heads[i - 1].head + 1;
        }
        if (oneLayer && run) {
            where += "L" + std::to_string(heads[0].layer) + " H" + std::to_string(heads.front().head) +
                     " to H" + std::to_string(heads.back().head);
        } else if (heads.size() <= 4) {
            for (std::size_t i = 0; i < heads.size(); ++i)
                where += (i == 0 ? "L" : ", L") + std::to_string(heads[i].layer) + " H" +
                         std::to_string(heads[i].head);
        } else {
            where += std::to_string(heads.size()) + " heads";
        }
    }
    return groups ? where + ", by " + std::string(textUnitName(unit)) : where;
}

Result<MapTile> makeRecipeTile(const TileKey& key, const MapRecipe& recipe, const LayerSources& sources,
                               int threads, const WorkContext& work) {
    FOVEA_ASSERT(!recipe.heads.empty() && key.level >= 0 && key.level < 24);
    std::map<int, TileSource> layers;
    for (const HeadAt& at : recipe.heads) {
        if (layers.contains(at.layer))
            continue;
        const Result<TileSource> source = sources(at.layer);
        FOVEA_TRY(source);
        layers.emplace(at.layer, *source);
    }
    MapTile tile;
    tile.key = key;
    RecipeMaker maker(tile, recipe, layers.begin()->second.input.k.rows);
    maker.allocate();
    if (maker.empty())
        return tile;
    const RowRange queries = maker.queries(), keys = maker.keys();
    const bool later = layers.begin()->second.input.later; // an encoder has pairs above the diagonal
    Combined combined;
    for (std::size_t row = queries.first / kTile; row * kTile < queries.last; ++row) {
        for (std::size_t column = keys.first / kTile; column * kTile < keys.last && (later || column <= row);
             ++column) {
            FOVEA_TRY(work.checkpoint());
            combined.clear();
            for (const HeadAt& at : recipe.heads) {
                const TileKey part{at.layer,
                                   at.head,
                                   key.quantity,
                                   Pooling::Max,
                                   0,
                                   static_cast<std::uint32_t>(row),
                                   static_cast<std::uint32_t>(column),
                                   key.arm};
                combined.add(makeTile(part, layers.at(at.layer), threads), recipe.combine);
            }
            maker.add(combined, row, column);
        }
        maker.closeBefore((row + 1) * kTile);
    }
    maker.finish();
    return tile;
}

Result<RecipeRow> makeRecipeRow(std::size_t cell, const MapRecipe& recipe, const LayerSources& sources) {
    RecipeRow row;
    const RowRange queries = recipe.tokensOf(cell);
    const double rows = static_cast<double>(queries.last - queries.first);
    for (std::size_t query = queries.first; query < queries.last; ++query) {
        std::vector<double> full, hybrid;
        const auto add = [&](std::vector<double>& sum, const std::vector<float>& one) {
            sum.resize(one.size());
            for (std::size_t j = 0; j < one.size(); ++j) {
                const auto x = static_cast<double>(one[j]);
                if (recipe.combine == HeadCombine::Mean)
                    sum[j] += x / static_cast<double>(recipe.heads.size());
                else if (std::isnan(x) || std::abs(x) > std::abs(sum[j]))
                    sum[j] = x;
            }
        };
        for (const HeadAt& at : recipe.heads) {
            const Result<TileSource> source = sources(at.layer);
            FOVEA_TRY(source);
            const TileSource known = coveredSource(*source, at.head, query);
            row.covered = row.covered && known.plan != nullptr;
            const AttentionRow one = makeRow(at.head, query, known);
            add(full, one.full);
            add(hybrid, one.hybrid);
        }
        const std::size_t cells = std::max(cell, recipe.cellOf(full.size() - 1)) + 1;
        row.full.resize(cells);
        row.hybrid.resize(cells);
        for (std::size_t j = 0; j < full.size(); ++j) {
            row.full[recipe.cellOf(j)] += full[j] / rows;
            row.hybrid[recipe.cellOf(j)] += hybrid[j] / rows;
        }
    }
    return row;
}

} // namespace fovea
