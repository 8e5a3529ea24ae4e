#pragma once
#include "core/measure/RowFacts.h"
#include "core/measure/StrongCells.h"
#include "ui/plot/CellMap.h"
#include <QAbstractTableModel>
#include <QString>
#include <memory>
#include <vector>

namespace fovea::ui {

/// The strongest cells of a part of a map, with why arm B reads them. An immutable value.
struct MapTableContent {
    StrongCells strong;
    std::vector<QString> why; ///< one for each cell; empty: a cell is more than one pair of one head
    CellMap cells;
    std::shared_ptr<const Tokens> labels; ///< one for each cell of the map
    bool otherRun = false; ///< arm A has a text or a model of its own: full attention is of neither arm
    bool policies = false; ///< arm A is a policy: its weight is shown, not full attention's
};

/// Cells of a map as rows: query, key, the weights of both arms, their difference, and why arm B reads it.
/// Read-only. GUI thread only.
class MapTableModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { Query, Key, ArmA, ArmB, Difference, Why, ColumnCount };
    /// Role for sorting by value instead of text; the value in full for copies.
    static constexpr int kSortRole = Qt::UserRole, kExactRole = Qt::UserRole + 1;

    using QAbstractTableModel::QAbstractTableModel;
    void show(std::shared_ptr<const MapTableContent> content); ///< null clears
    void setOld(bool old);                                     ///< in the second ink
    [[nodiscard]] const StrongCell* cellAt(int row) const;     ///< nullptr outside
    /// Whether the rows are cells of the map with these labels.
    [[nodiscard]] bool areCellsOf(const std::shared_ptr<const Tokens>& labels) const;

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    [[nodiscard]] std::optional<double> number(const StrongCell& cell, int column) const;
    [[nodiscard]] QString cellText(std::size_t cell) const;
    std::shared_ptr<const MapTableContent> m_content;
    bool m_old = false;
};

} // namespace fovea::ui
