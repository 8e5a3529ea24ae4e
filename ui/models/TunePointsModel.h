#pragma once
#include "core/tune/Tuner.h"
#include <QAbstractTableModel>
#include <QSortFilterProxyModel>
#include <QString>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace fovea::ui {

/// The policies that are known on the present text and model, measured and predicted ones, with what the user
/// says of them: pinned, a note, removed. What is said belongs to the policy and outlives new points. GUI
/// thread only.
class TunePointsModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { Pin, Policy, Kind, Pairs, Kl, Top1, DeltaNll, Note, ColumnCount };
    static constexpr int kSortRole = Qt::UserRole; ///< sorts by value instead of text

    using QAbstractTableModel::QAbstractTableModel;
    /// Without those that were removed.
    void setPoints(std::vector<TunePoint> points);
    [[nodiscard]] const std::vector<TunePoint>& points() const { return m_points; }
    [[nodiscard]] const TunePoint* pointAt(int row) const; ///< nullptr outside
    [[nodiscard]] bool pinned(int row) const;
    void setPinned(int row, bool pinned);
    /// Takes the policy off the list until removed() is cleared.
    void remove(int row);
    [[nodiscard]] std::vector<AttentionPolicy> removed() const;
    void clearRemoved();

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
    [[nodiscard]] Qt::ItemFlags flags(const QModelIndex& index) const override;
    bool setData(const QModelIndex& index, const QVariant& value, int role) override;

signals:
    void removedChanged();

private:
    [[nodiscard]] double numberOf(const TunePoint& point, int column) const;
    std::vector<TunePoint> m_points;
    std::set<std::string> m_pinned; ///< policy hashes, as below
    std::map<std::string, AttentionPolicy> m_removed;
    std::map<std::string, QString> m_notes;
};

/// Sorts by a column; pinned rows stand on top in either order, and rows without a number at the end.
class TunePointsOrder : public QSortFilterProxyModel {
    Q_OBJECT
public:
    using QSortFilterProxyModel::QSortFilterProxyModel;

protected:
    [[nodiscard]] bool lessThan(const QModelIndex& left, const QModelIndex& right) const override;
};

} // namespace fovea::ui
