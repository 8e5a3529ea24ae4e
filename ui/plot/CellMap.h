#pragma once
#include "core/measure/RecipeTile.h"
#include "ui/run/SelectionModel.h"
#include <memory>

namespace fovea::ui {

/// Between the cells of a map and the tokens of its text. Without groups each cell is a token. A plain value.
class CellMap {
public:
    CellMap() = default;
    CellMap(std::shared_ptr<const MapRecipe> recipe, std::size_t tokens)
        : m_recipe(std::move(recipe)), m_tokens(tokens) {}

    [[nodiscard]] const std::shared_ptr<const MapRecipe>& recipe() const { return m_recipe; }
    [[nodiscard]] bool grouped() const { return m_recipe && m_recipe->groups; }
    [[nodiscard]] int cells() const;
    [[nodiscard]] int cellOf(int token) const; ///< -1 stays -1
    [[nodiscard]] RowRange tokensOf(int cell) const;
    [[nodiscard]] RowRange tokensOf(RowRange cells) const;
    [[nodiscard]] SelectionModel::Pair toCells(SelectionModel::Pair tokens) const;
    /// The last token of the query's cell and the first of the key's, so that a causal pair stays one.
    [[nodiscard]] SelectionModel::Pair toTokens(SelectionModel::Pair cells) const;
    [[nodiscard]] SelectionModel::Block toCells(SelectionModel::Block tokens) const; ///< all that it touches
    [[nodiscard]] SelectionModel::Block toTokens(SelectionModel::Block cells) const;

private:
    std::shared_ptr<const MapRecipe> m_recipe;
    std::size_t m_tokens = 0;
};

} // namespace fovea::ui
