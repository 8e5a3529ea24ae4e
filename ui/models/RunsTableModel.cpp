#include "ui/models/RunsTableModel.h"
#include "core/policy/ParamSpec.h"
#include "core/policy/PolicyTitle.h"
#include "ui/models/ColumnCard.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/Theme.h"
#include <algorithm>
#include <array>
#include <cmath>

namespace fovea::ui {

namespace {

constexpr std::array<ColumnCard, RunsTableModel::ColumnCount> kRunColumns{{
    {"run", "its number, as in titles and files"},
    {"policy", "arm B of the run"},
    {"text", "the text it read"},
    {"T", "tokens"},
    {"KL", "next-token KL from full attention, nats, mean over the positions, propagated"},
    {"top-1", "share of positions with the same most likely next token, propagated"},
    {"sentence", "cosine of the sentence vector and full attention's, of an encoder"},
    {"mass", "kept mass: full attention's weight on the keys that B reads, isolated"},
    {"pairs", "pairs as a share of full attention's, counted, with the router"},
    {"time", "measured once, in that run: attention, router and plan of B as a share of attention of full"},
}};

double shareOf(const FinishedRun& run) {
    const double full = run.cost.full.attention.median;
    const double own =
        run.cost.hybrid.attention.median + run.cost.hybrid.router.median + run.cost.hybrid.plan.median;
    return run.cost.hybrid.attention.runs > 0 && run.cost.full.attention.runs > 0 && full > 0 ? own / full
                                                                                              : NAN;
}

double numberOf(const FinishedRun& run, int column) {
    switch (column) {
    case RunsTableModel::Run:
        return static_cast<double>(run.generation);
    case RunsTableModel::Tokens:
        return static_cast<double>(run.tokens);
    case RunsTableModel::Kl:
        return run.figures.nextTokenKl;
    case RunsTableModel::Top1:
        return run.figures.top1Agreement;
    case RunsTableModel::Sentence:
        return run.figures.sentenceCosine.value_or(NAN);
    case RunsTableModel::Mass:
        return run.figures.massRecall;
    case RunsTableModel::Pairs:
        return run.figures.pairsRatio;
    default:
        return shareOf(run);
    }
}

} // namespace

bool FinishedRun::sameQuestion(const FinishedRun& other) const {
    return sameButName(policy, other.policy) && textHash == other.textHash && modelHash == other.modelHash &&
           tokens == other.tokens && precision == other.precision && nativeWindows == other.nativeWindows;
}

void RunsTableModel::add(FinishedRun run) {
    const auto same = std::find_if(m_runs.begin(), m_runs.end(),
                                   [&](const FinishedRun& other) { return other.sameQuestion(run); });
    if (same != m_runs.end()) {
        const int row = static_cast<int>(same - m_runs.begin());
        *same = std::move(run);
        emit dataChanged(index(row, 0), index(row, ColumnCount - 1));
        return;
    }
    if (m_runs.size() == kMost) {
        beginRemoveRows({}, static_cast<int>(kMost) - 1, static_cast<int>(kMost) - 1);
        m_runs.pop_back();
        endRemoveRows();
    }
    beginInsertRows({}, 0, 0);
    m_runs.insert(m_runs.begin(), std::move(run));
    endInsertRows();
}

void RunsTableModel::setPresent(std::string textHash, std::string modelHash) {
    if (m_textHash == textHash && m_modelHash == modelHash)
        return;
    m_textHash = std::move(textHash);
    m_modelHash = std::move(modelHash);
    if (!m_runs.empty())
        emit dataChanged(index(0, 0), index(rowCount() - 1, ColumnCount - 1), {Qt::ForegroundRole});
}

const FinishedRun* RunsTableModel::runAt(int row) const {
    return row >= 0 && row < rowCount() ? &m_runs[static_cast<std::size_t>(row)] : nullptr;
}

bool RunsTableModel::anySentence() const {
    return std::any_of(m_runs.begin(), m_runs.end(),
                       [](const FinishedRun& run) { return run.figures.sentenceCosine.has_value(); });
}

int RunsTableModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_runs.size());
}

int RunsTableModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QVariant RunsTableModel::data(const QModelIndex& index, int role) const {
    const FinishedRun* const run = runAt(index.row());
    if (run == nullptr)
        return {};
    const int column = index.column();
    const bool isText = column == Policy || column == Text;
    if (role == Qt::TextAlignmentRole)
        return QVariant(Qt::AlignVCenter | (isText || column == Run ? Qt::AlignLeft : Qt::AlignRight));
    if (role == Qt::FontRole)
        return isText ? QVariant() : QVariant(Theme::mono());
    if (role == Qt::ForegroundRole) {
        const bool present = run->textHash == m_textHash && run->modelHash == m_modelHash;
        return present ? QVariant() : QVariant(Theme::current().ink2);
    }
    if (role != Qt::DisplayRole && role != Qt::ToolTipRole && role != kSortRole)
        return {};
    if (column == Policy)
        return role == Qt::ToolTipRole ? QString::fromStdString(policyToOptions(run->policy))
                                       : QString::fromStdString(policyTitle(run->policy));
    if (column == Text)
        return role == Qt::ToolTipRole ? plainTip(tr("%1, %2").arg(run->text, run->model)) : run->text;
    const double number = numberOf(*run, column);
    if (role == kSortRole)
        return std::isnan(number) ? -HUGE_VAL : number;
    if (std::isnan(number))
        return role == Qt::ToolTipRole ? QString() : QStringLiteral("\u2013");
    if (column == Seconds && role == Qt::ToolTipRole)
        return tr("attention, router and plan of B: %1 s; attention of full: %2 s; measured once, in this "
                  "run")
            .arg(threeDigits(run->cost.hybrid.attention.median + run->cost.hybrid.router.median +
                             run->cost.hybrid.plan.median),
                 threeDigits(run->cost.full.attention.median));
    if (role == Qt::ToolTipRole)
        return QString::number(number, 'g', 9);
    if (column == Run)
        return QStringLiteral("r%1").arg(run->generation);
    if (column == Tokens)
        return groupedCount(run->tokens);
    if (column == Kl || column == Sentence)
        return threeDigits(number);
    return tr("%1 %").arg(threeDigits(100 * number));
}

QVariant RunsTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= ColumnCount)
        return {};
    const ColumnCard& card = kRunColumns[static_cast<std::size_t>(section)];
    if (role == Qt::DisplayRole)
        return QLatin1String(card.name);
    if (role == Qt::ToolTipRole)
        return QLatin1String(card.help);
    if (role == Qt::TextAlignmentRole) {
        const bool left = section == Run || section == Policy || section == Text;
        return QVariant(Qt::AlignVCenter | (left ? Qt::AlignLeft : Qt::AlignRight));
    }
    return {};
}

} // namespace fovea::ui
