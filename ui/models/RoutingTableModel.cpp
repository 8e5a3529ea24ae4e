#include "ui/models/RoutingTableModel.h"
#include "core/text/Display.h"
#include "ui/models/ColumnCard.h"
#include <QString>
#include <array>

namespace fovea::ui {

namespace {

constexpr std::array<ColumnCard, RoutingTableModel::ColumnCount> kColumns{{
    {"layer", "0-based layer"},
    {"head", "head, or the heads of a key-value head that chose as one"},
    {"token", "position of the routed token"},
    {"text", "its text"},
    {"role", "keys: later queries read it; queries: it reads everything before it"},
    {"best score", "the best score it was ranked by, over its queries"},
    {"bar", "the bar at that query: the score of the last candidate chosen"},
    {"rank", "its rank at that query, 1 is best"},
    {"budget", "keys that query was allowed"},
    {"queries", "how many queries read it for this reason"},
    {"first", "first query that reads it for this reason"},
    {"last", "last query that reads it for this reason"},
}};

} // namespace

void RoutingTableModel::setSnapshot(std::shared_ptr<const Snapshot> snapshot) {
    std::shared_ptr<const RoutingRecord> record =
        snapshot && snapshot->propagated ? snapshot->propagated->routing : nullptr;
    if (record == m_record)
        return;
    beginResetModel();
    m_snapshot = std::move(snapshot);
    m_record = std::move(record);
    endResetModel();
}

const RoutingRow* RoutingTableModel::rowAt(int row) const {
    if (!m_record || row < 0 || static_cast<std::size_t>(row) >= m_record->rows.size())
        return nullptr;
    return &m_record->rows[static_cast<std::size_t>(row)];
}

int RoutingTableModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() || !m_record ? 0 : static_cast<int>(m_record->rows.size());
}

int RoutingTableModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QVariant RoutingTableModel::data(const QModelIndex& index, int role) const {
    const RoutingRow* row = rowAt(index.row());
    if (!row)
        return {};
    if (role == Qt::TextAlignmentRole) {
        const bool words = index.column() == Text || index.column() == RoleColumn;
        return static_cast<int>((words ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    }
    if (role != Qt::DisplayRole && role != kSortRole)
        return {};
    const bool text = role == Qt::DisplayRole;
    switch (index.column()) {
    case Layer:
        return row->layer;
    case Head:
        if (text && row->headGroup >= 0 && m_snapshot->model->shape.headsPerKv() > 1)
            return QStringLiteral("%1–%2").arg(row->head).arg(row->head +
                                                              m_snapshot->model->shape.headsPerKv() - 1);
        return row->head;
    case Token:
        return row->token;
    case Text:
        return row->token < m_snapshot->tokens->pieces.size()
                   ? QString::fromStdString(displayText(m_snapshot->tokens->pieces[row->token]))
                   : QString();
    case RoleColumn:
        return QString::fromStdString(std::string(roleName(row->role)));
    case Score:
        return text ? QVariant(QString::number(row->score, 'g', 4)) : QVariant(row->score);
    case Threshold:
        return text ? QVariant(QString::number(row->threshold, 'g', 4)) : QVariant(row->threshold);
    case Rank:
        return row->rank;
    case Budget:
        return row->budget;
    case Queries:
        return row->queries;
    case QueryFirst:
        return row->queryFirst;
    case QueryLast:
        return row->queryLast;
    default:
        return {};
    }
}

QVariant RoutingTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= ColumnCount)
        return {};
    const ColumnCard& card = kColumns[static_cast<std::size_t>(section)];
    if (role == Qt::DisplayRole)
        return tr(card.name);
    if (role == Qt::ToolTipRole)
        return tr(card.help);
    return {};
}

} // namespace fovea::ui
