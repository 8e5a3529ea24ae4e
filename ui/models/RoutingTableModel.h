#pragma once
#include "core/engine/Snapshot.h"
#include <QAbstractTableModel>
#include <memory>

namespace fovea::ui {

/// The routing record of the propagated run as a table: the same rows as routing.csv. Read-only. GUI thread
/// only.
class RoutingTableModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column {
        Layer,
        Head,
        Token,
        Text,
        RoleColumn,
        Score,
        Threshold,
        Rank,
        Budget,
        Queries,
        QueryFirst,
        QueryLast,
        ColumnCount
    };
    /// Role for sorting by numeric value instead of text.
    static constexpr int kSortRole = Qt::UserRole;

    using QAbstractTableModel::QAbstractTableModel;
    /// Shows the record of `snapshot`; null clears. Setting the same record again has no effect.
    void setSnapshot(std::shared_ptr<const Snapshot> snapshot);
    [[nodiscard]] const RoutingRow* rowAt(int row) const; ///< nullptr outside

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    std::shared_ptr<const Snapshot> m_snapshot;
    std::shared_ptr<const RoutingRecord> m_record;
};

} // namespace fovea::ui
