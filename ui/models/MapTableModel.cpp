#include "ui/models/MapTableModel.h"
#include "core/text/Display.h"
#include "ui/plot/MapFacts.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/Theme.h"
#include <cmath>
#include <limits>

namespace fovea::ui {

namespace {
constexpr std::size_t kCharacters = 14;
} // namespace

void MapTableModel::show(std::shared_ptr<const MapTableContent> content) {
    beginResetModel();
    m_content = std::move(content);
    m_old = false;
    endResetModel();
}

void MapTableModel::setOld(bool old) {
    if (std::exchange(m_old, old) != old && rowCount() > 0)
        emit dataChanged(index(0, 0), index(rowCount() - 1, ColumnCount - 1), {Qt::ForegroundRole});
}

const StrongCell* MapTableModel::cellAt(int row) const {
    if (row < 0 || row >= rowCount())
        return nullptr;
    return &m_content->strong.cells[static_cast<std::size_t>(row)];
}

bool MapTableModel::areCellsOf(const std::shared_ptr<const Tokens>& labels) const {
    return m_content && m_content->labels == labels;
}

int MapTableModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() || !m_content ? 0 : static_cast<int>(m_content->strong.cells.size());
}

int MapTableModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

std::optional<double> MapTableModel::number(const StrongCell& cell, int column) const {
    const auto known = [](const std::optional<double>& weight) {
        return weight && !std::isnan(*weight) ? weight : std::nullopt; // NaN: of a recurrent state
    };
    const std::optional<double> a = m_content->policies ? known(cell.against) : std::optional(cell.full);
    const std::optional<double> b = known(cell.hybrid);
    if (column == ArmA)
        return a;
    if (column == ArmB)
        return b;
    return a && b ? std::optional(*b - *a) : std::nullopt;
}

QString MapTableModel::cellText(std::size_t cell) const {
    QString text = tokenRangeWords(m_content->cells.tokensOf(static_cast<int>(cell)));
    if (m_content->labels && cell < m_content->labels->pieces.size())
        text += QLatin1Char(' ') +
                QString::fromStdString(displayText(m_content->labels->pieces[cell], kCharacters));
    return text;
}

QVariant MapTableModel::data(const QModelIndex& index, int role) const {
    const StrongCell* const cell = cellAt(index.row());
    if (cell == nullptr || !index.isValid())
        return {};
    const int column = index.column();
    const bool isNumber = column >= ArmA && column <= Difference;
    if (role == Qt::TextAlignmentRole)
        return QVariant(Qt::AlignVCenter | (isNumber ? Qt::AlignRight : Qt::AlignLeft));
    if (role == Qt::FontRole)
        return column == Why ? Theme::second() : Theme::mono();
    if (role == Qt::ForegroundRole)
        return m_old ? QVariant(Theme::current().ink2) : QVariant();
    if (role != Qt::DisplayRole && role != Qt::ToolTipRole && role != kSortRole && role != kExactRole)
        return {};
    if (column == Query || column == Key) {
        const std::size_t at = column == Query ? cell->query : cell->key;
        if (role == kSortRole)
            return static_cast<qulonglong>(at);
        return role == Qt::ToolTipRole ? plainTip(cellText(at)) : cellText(at);
    }
    if (column == Why)
        return m_content->why.empty() ? QString() : m_content->why[static_cast<std::size_t>(index.row())];
    const std::optional<double> value = number(*cell, column);
    if (role == kSortRole) // what is not known is last
        return value.value_or(-std::numeric_limits<double>::infinity());
    if (!value)
        return role == kExactRole ? QString() : QStringLiteral("\u2013");
    if (role != Qt::DisplayRole)
        return QString::number(*value, 'g', 9);
    return column == Difference ? signedThreeDigits(*value) : threeDigits(*value);
}

QVariant MapTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal)
        return {};
    if (role == Qt::TextAlignmentRole)
        return QVariant(Qt::AlignVCenter |
                        (section >= ArmA && section <= Difference ? Qt::AlignRight : Qt::AlignLeft));
    const bool policies = m_content && m_content->policies;
    const bool tip = role == Qt::ToolTipRole;
    if (role != Qt::DisplayRole && !tip)
        return {};
    switch (section) {
    case Query:
        return tip ? tr("the token that reads") : tr("query");
    case Key:
        return tip ? tr("the token that is read") : tr("key");
    case ArmA:
        return tip ? (policies ? tr("its weight under arm A's policy") : tr("its weight in full attention"))
               : m_content && m_content->otherRun ? tr("full")
                                                  : tr("A");
    case ArmB:
        return tip ? tr("its weight under arm B's policy; a dash: not known of this row, or in a "
                        "recurrent state, which has no weight for one key")
                   : tr("B");
    case Difference:
        if (m_content && m_content->otherRun)
            return tip ? tr("B's weight minus full attention's") : tr("B \u2212 full");
        return tip ? tr("B's weight minus A's") : tr("B \u2212 A");
    default:
        return tip ? tr("why B reads the key, or does not") : tr("why");
    }
}

} // namespace fovea::ui
