#include "ui/models/TunePointsModel.h"
#include "core/policy/PolicyTitle.h"
#include "ui/models/ColumnCard.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace fovea::ui {

namespace {

constexpr std::array<ColumnCard, TunePointsModel::ColumnCount> kPointColumns{{
    {"pin", "pinned policies stand on top"},
    {"policy", "double click: it becomes B"},
    {"how", "measured: the model ran under the policy; front: and no other measured policy is better in both "
            "pairs and KL. predicted: it did not run; pred. front: the same among predictions"},
    {"pairs", "pairs as a share of full attention's, router included: counted, or estimated if predicted"},
    {"KL", "next-token KL from full attention, nats, mean over the positions; of a prediction its band"},
    {"top-1", "share of positions with the same most likely next token"},
    {"loss change", "mean of B minus full attention, nats per token"},
    {"note", "double click: write one"},
}};

bool isMeasured(const TunePoint& point) {
    return !point.measured.empty();
}

} // namespace

void TunePointsModel::setPoints(std::vector<TunePoint> points) {
    std::erase_if(points, [this](const TunePoint& p) { return m_removed.count(p.candidate.hash) > 0; });
    const bool samePolicies = std::equal(
        points.begin(), points.end(), m_points.begin(), m_points.end(),
        [](const TunePoint& a, const TunePoint& b) { return a.candidate.hash == b.candidate.hash; });
    if (samePolicies) { // the selection and what is being written stay
        m_points = std::move(points);
        if (!m_points.empty())
            emit dataChanged(index(0, 0), index(rowCount() - 1, ColumnCount - 1));
        return;
    }
    beginResetModel();
    m_points = std::move(points);
    endResetModel();
}

const TunePoint* TunePointsModel::pointAt(int row) const {
    return row >= 0 && row < rowCount() ? &m_points[static_cast<std::size_t>(row)] : nullptr;
}

bool TunePointsModel::pinned(int row) const {
    const TunePoint* const point = pointAt(row);
    return point != nullptr && m_pinned.count(point->candidate.hash) > 0;
}

void TunePointsModel::setPinned(int row, bool pinned) {
    const TunePoint* const point = pointAt(row);
    if (point == nullptr || pinned == this->pinned(row))
        return;
    if (pinned)
        m_pinned.insert(point->candidate.hash);
    else
        m_pinned.erase(point->candidate.hash);
    emit dataChanged(index(row, 0), index(row, ColumnCount - 1));
}

void TunePointsModel::remove(int row) {
    const TunePoint* const point = pointAt(row);
    if (point == nullptr)
        return;
    m_removed.emplace(point->candidate.hash, point->candidate.policy);
    beginRemoveRows({}, row, row);
    m_points.erase(m_points.begin() + row);
    endRemoveRows();
    emit removedChanged();
}

std::vector<AttentionPolicy> TunePointsModel::removed() const {
    std::vector<AttentionPolicy> policies;
    for (const auto& [hash, policy] : m_removed)
        policies.push_back(policy);
    return policies;
}

void TunePointsModel::clearRemoved() {
    m_removed.clear();
    emit removedChanged();
}

int TunePointsModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_points.size());
}

int TunePointsModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

double TunePointsModel::numberOf(const TunePoint& point, int column) const {
    const bool measured = isMeasured(point);
    switch (column) {
    case Pairs:
        return measured ? point.measuredPairs() : point.estimatedPairs();
    case Kl:
        return measured ? point.measuredKl() : point.predicted->kl.value;
    case Top1:
        return measured ? point.measuredTop1() : point.predicted->top1.value;
    case DeltaNll:
        return measured ? point.measuredDeltaNll() : point.predicted->deltaNll.value;
    default:
        return NAN;
    }
}

QVariant TunePointsModel::data(const QModelIndex& index, int role) const {
    const TunePoint* const point = pointAt(index.row());
    if (point == nullptr)
        return {};
    const int column = index.column();
    const bool measured = isMeasured(*point);
    const auto note = m_notes.find(point->candidate.hash);
    if (role == Qt::CheckStateRole && column == Pin)
        return pinned(index.row()) ? Qt::Checked : Qt::Unchecked;
    if (role == Qt::EditRole && column == Note)
        return note == m_notes.end() ? QString() : note->second;
    if (role == Qt::TextAlignmentRole && column >= Pairs && column <= DeltaNll)
        return QVariant(Qt::AlignRight | Qt::AlignVCenter);
    if (role == Qt::FontRole && column >= Pairs && column <= DeltaNll)
        return Theme::mono();
    if (role == Qt::ForegroundRole && !measured)
        return Theme::current().ink2;
    if (role == Qt::ToolTipRole && column == Policy)
        return QString::fromStdString(point->candidate.policy.summary());
    if (role == kSortRole && column >= Pairs && column <= DeltaNll)
        return numberOf(*point, column);
    if (role != Qt::DisplayRole && role != kSortRole)
        return {};
    switch (column) {
    case Policy:
        return QString::fromStdString(policyTitle(point->candidate.policy));
    case Kind:
        if (!point->answer())
            return point->candidate.control ? tr("control") : tr("looks ahead");
        return measured                ? point->measuredFront ? tr("front") : tr("measured")
                              : point->predictedFront ? tr("pred. front")
                                       : tr("predicted");
    case Pairs:
        return threeDigits(numberOf(*point, column) * 100) + QStringLiteral(" %");
    case Kl:
        return measured
                   ? threeDigits(point->measuredKl())
                   : tr("%1 to %2")
                         .arg(threeDigits(point->predicted->kl.low), threeDigits(point->predicted->kl.high));
    case Top1:
        return threeDigits(numberOf(*point, column) * 100) + QStringLiteral(" %");
    case DeltaNll:
        return signedThreeDigits(numberOf(*point, column));
    case Note:
        return note == m_notes.end() ? QString() : note->second;
    default:
        return {};
    }
}

QVariant TunePointsModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= ColumnCount)
        return {};
    const ColumnCard& card = kPointColumns[static_cast<std::size_t>(section)];
    return role == Qt::DisplayRole   ? QVariant(tr(card.name))
           : role == Qt::ToolTipRole ? QVariant(tr(card.help))
                                     : QVariant();
}

Qt::ItemFlags TunePointsModel::flags(const QModelIndex& index) const {
    Qt::ItemFlags flags = QAbstractTableModel::flags(index);
    if (index.column() == Pin)
        flags |= Qt::ItemIsUserCheckable;
    if (index.column() == Note)
        flags |= Qt::ItemIsEditable;
    return flags;
}

bool TunePointsModel::setData(const QModelIndex& index, const QVariant& value, int role) {
    const TunePoint* const point = pointAt(index.row());
    if (point == nullptr)
        return false;
    if (index.column() == Pin && role == Qt::CheckStateRole) {
        setPinned(index.row(), value.toInt() == Qt::Checked);
        return true;
    }
    if (index.column() != Note || role != Qt::EditRole)
        return false;
    const QString text = value.toString().simplified();
    if (text.isEmpty())
        m_notes.erase(point->candidate.hash);
    else
        m_notes[point->candidate.hash] = text;
    emit dataChanged(index, index);
    return true;
}

bool TunePointsOrder::lessThan(const QModelIndex& left, const QModelIndex& right) const {
    const auto* const model = qobject_cast<const TunePointsModel*>(sourceModel());
    const bool down = sortOrder() == Qt::DescendingOrder;
    if (model != nullptr && model->pinned(left.row()) != model->pinned(right.row()))
        return model->pinned(left.row()) != down;
    const QVariant a = left.data(sortRole()), b = right.data(sortRole());
    if (a.typeId() != QMetaType::Double || b.typeId() != QMetaType::Double)
        return a.toString() < b.toString();
    if (std::isnan(a.toDouble()) || std::isnan(b.toDouble()))
        return std::isnan(a.toDouble()) != std::isnan(b.toDouble()) && std::isnan(a.toDouble()) == down;
    return a.toDouble() < b.toDouble();
}

} // namespace fovea::ui
