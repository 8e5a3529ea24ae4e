#pragma once
#include "core/engine/Ladder.h"
#include "core/engine/Snapshot.h"
#include <QAbstractTableModel>
#include <QString>
#include <memory>
#include <optional>
#include <vector>

namespace fovea::ui {

/// Rows of texts with one share each, which is drawn as a bar. Read-only. GUI thread only.
class ShareTableModel : public QAbstractTableModel {
    Q_OBJECT
public:
    struct Line {
        QStringList cells;
        QString tip;
        std::optional<double> share; ///< the last column's value; drawn as a bar up to 1
    };
    static constexpr int kShareRole = Qt::UserRole; ///< of the last column

    using QAbstractTableModel::QAbstractTableModel;
    void show(QStringList columns, std::vector<Line> lines);
    void setOld(bool old); ///< in the second ink

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    QStringList m_columns;
    std::vector<Line> m_lines;
    bool m_old = false;
};

/// What the whole run cost: counted and measured rows of full attention, arm A where it is a policy, and B.
/// `snapshot` has a propagated result.
void showCost(ShareTableModel& model, const Snapshot& snapshot);
/// The counted pairs of each layer, full attention beside B, and the mass that B keeps.
void showLayers(ShareTableModel& model, const Snapshot& snapshot);
/// The measured ladder: always all four rungs.
void showLadder(ShareTableModel& model, const Ladder& ladder);

} // namespace fovea::ui
