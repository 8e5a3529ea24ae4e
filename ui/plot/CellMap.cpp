#include "ui/plot/CellMap.h"

namespace fovea::ui {

int CellMap::cells() const {
    return static_cast<int>(grouped() ? m_recipe->groups->size() : m_tokens);
}

int CellMap::cellOf(int token) const {
    if (!grouped() || token < 0)
        return token;
    const std::size_t last = m_tokens > 0 ? m_tokens - 1 : 0;
    return static_cast<int>(m_recipe->groups->of(std::min(static_cast<std::size_t>(token), last)));
}

RowRange CellMap::tokensOf(int cell) const {
    const auto at = static_cast<std::size_t>(cell);
    return grouped() ? m_recipe->tokensOf(at) : RowRange{at, at + 1};
}

RowRange CellMap::tokensOf(RowRange cells) const {
    if (!grouped() || cells.first >= cells.last)
        return cells;
    return {m_recipe->tokensOf(cells.first).first, m_recipe->tokensOf(cells.last - 1).last};
}

SelectionModel::Pair CellMap::toCells(SelectionModel::Pair tokens) const {
    return tokens.valid() ? SelectionModel::Pair{cellOf(tokens.query), cellOf(tokens.key)} : tokens;
}

SelectionModel::Pair CellMap::toTokens(SelectionModel::Pair cells) const {
    if (!grouped() || !cells.valid())
        return cells;
    return {static_cast<int>(tokensOf(cells.query).last) - 1, static_cast<int>(tokensOf(cells.key).first)};
}

SelectionModel::Block CellMap::toCells(SelectionModel::Block tokens) const {
    if (!grouped() || !tokens.valid())
        return tokens;
    return {cellOf(tokens.queryFirst), cellOf(tokens.queryLast - 1) + 1, cellOf(tokens.keyFirst),
            cellOf(tokens.keyLast - 1) + 1};
}

SelectionModel::Block CellMap::toTokens(SelectionModel::Block cells) const {
    if (!grouped() || !cells.valid())
        return cells;
    return {static_cast<int>(tokensOf(cells.queryFirst).first),
            static_cast<int>(tokensOf(cells.queryLast - 1).last),
            static_cast<int>(tokensOf(cells.keyFirst).first),
            static_cast<int>(tokensOf(cells.keyLast - 1).last)};
}

} // namespace fovea::ui
