#include "ui/views/InspectorModels.h"
#include "core/text/Display.h"
#include "ui/plot/MapFacts.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include <QTextDocument>
#include <algorithm>
#include <cmath>

namespace fovea::ui {

namespace {

QVariant alignment(int column, int firstNumber, int lastNumber) {
    const bool number = column >= firstNumber && column <= lastNumber;
    return QVariant(Qt::AlignVCenter | (number ? Qt::AlignRight : Qt::AlignLeft));
}

QString exactly(double value) {
    return QString::number(value, 'g', 9);
}

} // namespace

void ReadsModel::show(std::shared_ptr<const InspectorReport> report, std::shared_ptr<const Tokens> tokens) {
    beginResetModel();
    m_report = std::move(report);
    m_tokens = std::move(tokens);
    endResetModel();
}

const std::vector<ReadLine>& ReadsModel::lines() const {
    static const std::vector<ReadLine> none;
    if (!m_report || !m_report->token)
        return none;
    return m_side == Side::Reads ? m_report->token->reads : m_report->token->readBy;
}

bool ReadsModel::comparesPolicies() const {
    const std::vector<ReadLine>& all = lines();
    return m_report && m_report->againstPolicy &&
           std::any_of(all.begin(), all.end(), [](const ReadLine& line) { return line.against.has_value(); });
}

int ReadsModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(lines().size());
}

int ReadsModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QVariant ReadsModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || index.row() >= rowCount())
        return {};
    const ReadLine& line = lines()[static_cast<std::size_t>(index.row())];
    const auto other = static_cast<int>(m_side == Side::Reads ? line.key : line.query);
    if (role == Qt::TextAlignmentRole)
        return alignment(index.column(), FullColumn, HybridColumn);
    if (role == Qt::FontRole)
        return index.column() == WhyColumn ? Theme::second() : Theme::mono();
    if (role == Qt::ForegroundRole && index.column() == WhyColumn && line.hybrid)
        return line.kind == ReadKind::Skipped ? Theme::current().ink2 : Theme::current().ink;
    const bool exact = role == Qt::ToolTipRole;
    if (role != Qt::DisplayRole && !exact)
        return {};
    QString text;
    switch (index.column()) {
    case TokenColumn:
        text = exact ? tokenLabel(*m_tokens, other, 40)
                     : QStringLiteral("#%1 %2").arg(other).arg(QString::fromStdString(
                           displayText(m_tokens->pieces[static_cast<std::size_t>(other)], 12)));
        break;
    case FullColumn:
        if (comparesPolicies())
            text = !line.against ? QStringLiteral("\u2013")
                   : exact       ? tr("A %1, full attention %2")
                                 .arg(exactly(static_cast<double>(*line.against)),
                                      exactly(static_cast<double>(line.full)))
                           : threeDigits(static_cast<double>(*line.against));
        else
            text =
                exact ? exactly(static_cast<double>(line.full)) : threeDigits(static_cast<double>(line.full));
        break;
    case HybridColumn:
        if (!line.hybrid || std::isnan(*line.hybrid))
            text = QStringLiteral("\u2013");
        else
            text = exact ? exactly(static_cast<double>(*line.hybrid))
                         : threeDigits(static_cast<double>(*line.hybrid));
        break;
    case WhyColumn:
        text = shortReason(line.kind, line.router);
        break;
    default:
        return {};
    }
    return exact ? Qt::convertFromPlainText(text) : text;
}

QVariant ReadsModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal)
        return {};
    if (role == Qt::TextAlignmentRole)
        return alignment(section, FullColumn, HybridColumn);
    if (role == Qt::ToolTipRole && (section == FullColumn || section == HybridColumn))
        return section == FullColumn && m_report && m_report->otherRun
                   ? tr("weight under full attention, of this text and model")
               : section == FullColumn ? tr("weight under A: full attention, or the policy chosen as A")
                                       : tr("weight under B, the present policy");
    if (role != Qt::DisplayRole)
        return {};
    switch (section) {
    case TokenColumn:
        return m_side == Side::Reads ? tr("key") : tr("query");
    case FullColumn:
        return m_report && m_report->otherRun ? tr("full") : QStringLiteral("A");
    case HybridColumn:
        return QStringLiteral("B");
    case WhyColumn:
        return tr("why");
    default:
        return {};
    }
}

void WhyModel::show(std::shared_ptr<const InspectorReport> report) {
    beginResetModel();
    m_report = std::move(report);
    endResetModel();
}

int WhyModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() || !m_report ? 0 : static_cast<int>(m_report->why.size());
}

int WhyModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QVariant WhyModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || index.row() >= rowCount())
        return {};
    const RoutedInLayer& line = m_report->why[static_cast<std::size_t>(index.row())];
    if (role == Qt::TextAlignmentRole)
        return alignment(index.column(), HeadsColumn, QueriesColumn);
    if (role == Qt::FontRole)
        return Theme::mono();
    if (role != Qt::DisplayRole && role != Qt::ToolTipRole)
        return {};
    switch (index.column()) {
    case LayerColumn:
        return QStringLiteral("L%1%2")
            .arg(line.layer)
            .arg(line.role == Role::Queries ? tr(" query") : QString());
    case HeadsColumn:
        return tr("%1 of %2").arg(line.heads).arg(line.ofHeads);
    case ScoreColumn:
        return QStringLiteral("%1 \u2265 %2")
            .arg(threeDigits(static_cast<double>(line.score)),
                 threeDigits(static_cast<double>(line.threshold)));
    case RankColumn:
        return tr("%1 of %2").arg(line.rank).arg(line.budget);
    case QueriesColumn:
        return QString::number(line.queries);
    default:
        return {};
    }
}

QVariant WhyModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal)
        return {};
    if (role == Qt::TextAlignmentRole)
        return alignment(section, HeadsColumn, QueriesColumn);
    if (role != Qt::DisplayRole)
        return {};
    switch (section) {
    case LayerColumn:
        return tr("layer");
    case HeadsColumn:
        return tr("heads");
    case ScoreColumn:
        return tr("score, bar");
    case RankColumn:
        return tr("best rank");
    case QueriesColumn:
        return tr("queries");
    default:
        return {};
    }
}

} // namespace fovea::ui
