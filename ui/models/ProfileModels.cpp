#include "ui/models/ProfileModels.h"
#include "core/base/Memory.h"
#include "core/model/NativeAttention.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include <algorithm>
#include <array>
#include <utility>

namespace fovea::ui {

namespace {

/// One quantity of an arm.
struct CostRow {
    const char* name;
    const char* help;
    enum class Kind { Count, Bytes, Time } kind;
    std::uint64_t ArmCost::*count = nullptr;
    Seconds ArmCost::*time = nullptr;
};

constexpr std::array<CostRow, 10> kRows{{
    {"pairs", "query and key pairs that are read, over layers and heads", CostRow::Kind::Count,
     &ArmCost::pairs},
    {"attention flop", "floating point operations of attention", CostRow::Kind::Count,
     &ArmCost::attentionFlops},
    {"router multiply-adds", "what the choice of the keys costs", CostRow::Kind::Count, &ArmCost::routerMacs},
    {"other flop", "everything except attention, with the logits", CostRow::Kind::Count,
     &ArmCost::denseFlops},
    {"keys and values", "bytes of keys and values that stay readable, in f32", CostRow::Kind::Bytes,
     &ArmCost::kvBytes},
    {"whole run", "with the logits", CostRow::Kind::Time, nullptr, &ArmCost::total},
    {"attention", "the attention kernels", CostRow::Kind::Time, nullptr, &ArmCost::attention},
    {"router", "scores and choice", CostRow::Kind::Time, nullptr, &ArmCost::router},
    {"plan", "which keys each block of queries reads", CostRow::Kind::Time, nullptr, &ArmCost::plan},
    {"far state", "bytes of summaries and states besides the cache", CostRow::Kind::Bytes,
     &ArmCost::farStateBytes},
}};

const QString kNone = QStringLiteral("\u2013");

std::optional<double> valueOf(const ArmCost& arm, const CostRow& row) {
    if (row.kind != CostRow::Kind::Time)
        return static_cast<double>(arm.*row.count);
    const Seconds& time = arm.*row.time;
    return time.runs > 0 ? std::optional(time.median) : std::nullopt;
}

/// Three digits, so that columns stay narrow: "68.9 M". Tips have the whole number.
QString shortCount(std::uint64_t count) {
    constexpr std::array<std::pair<double, const char*>, 3> kUnits{{{1e12, " T"}, {1e9, " G"}, {1e6, " M"}}};
    for (const auto& [size, unit] : kUnits)
        if (static_cast<double>(count) >= size)
            return threeDigits(static_cast<double>(count) / size) + QLatin1String(unit);
    return groupedCount(count);
}

QString valueText(const ArmCost& arm, const CostRow& row) {
    const std::optional<double> value = valueOf(arm, row);
    if (!value)
        return kNone;
    switch (row.kind) {
    case CostRow::Kind::Count:
        return shortCount(arm.*row.count);
    case CostRow::Kind::Bytes:
        return QString::fromStdString(formatBytes(arm.*row.count));
    case CostRow::Kind::Time:
        break;
    }
    return QStringLiteral("%1 s").arg(threeDigits(*value));
}

} // namespace

void ShareTableModel::show(QStringList columns, std::vector<Line> lines) {
    beginResetModel();
    m_columns = std::move(columns);
    m_lines = std::move(lines);
    m_old = false;
    endResetModel();
}

void ShareTableModel::setOld(bool old) {
    if (std::exchange(m_old, old) != old && rowCount() > 0)
        emit dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1), {Qt::ForegroundRole});
}

int ShareTableModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_lines.size());
}

int ShareTableModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_columns.size());
}

QVariant ShareTableModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || index.row() >= rowCount())
        return {};
    const Line& line = m_lines[static_cast<std::size_t>(index.row())];
    const bool last = index.column() + 1 == columnCount();
    switch (role) {
    case Qt::TextAlignmentRole:
        return QVariant(Qt::AlignVCenter | (index.column() == 0 ? Qt::AlignLeft : Qt::AlignRight));
    case Qt::FontRole:
        return index.column() == 0 ? QVariant() : QVariant(Theme::mono());
    case Qt::ForegroundRole:
        return m_old ? QVariant(Theme::current().ink2) : QVariant();
    case Qt::ToolTipRole:
        return line.tip;
    case kShareRole:
        return last && line.share ? QVariant(*line.share) : QVariant();
    case Qt::DisplayRole:
        if (last)
            return line.share ? tr("%1 %").arg(threeDigits(100 * *line.share)) : kNone;
        return line.cells.value(index.column());
    default:
        return {};
    }
}

QVariant ShareTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal)
        return {};
    if (role == Qt::DisplayRole)
        return m_columns.value(section);
    if (role == Qt::TextAlignmentRole)
        return QVariant(Qt::AlignVCenter | (section == 0 ? Qt::AlignLeft : Qt::AlignRight));
    return {};
}

void showCost(ShareTableModel& model, const Snapshot& snapshot) {
    const Cost& cost = snapshot.propagated->cost;
    const ArmCost* const armA = snapshot.against && snapshot.against->propagated
                                    ? &snapshot.against->propagated->cost.hybrid
                                    : nullptr;
    QStringList columns{ShareTableModel::tr("of the whole run"), ShareTableModel::tr("kind"),
                        ShareTableModel::tr("full")};
    if (armA != nullptr)
        columns << ShareTableModel::tr("A");
    columns << ShareTableModel::tr("B")
            << (armA != nullptr ? ShareTableModel::tr("B of A") : ShareTableModel::tr("B of full"));
    std::vector<ShareTableModel::Line> lines;
    for (const CostRow& row : kRows) {
        const ArmCost& base = armA != nullptr ? *armA : cost.full;
        const std::optional<double> of = valueOf(base, row), own = valueOf(cost.hybrid, row);
        if (own.value_or(0) == 0 && of.value_or(0) == 0)
            continue; // neither has it
        ShareTableModel::Line line;
        line.tip = QLatin1String(row.help);
        if (row.kind != CostRow::Kind::Time)
            line.tip += ShareTableModel::tr(": full %1, B %2")
                            .arg(groupedCount(cost.full.*row.count), groupedCount(cost.hybrid.*row.count));
        line.cells << QLatin1String(row.name)
                   << (row.kind == CostRow::Kind::Time ? ShareTableModel::tr("measured")
                                                       : ShareTableModel::tr("counted"))
                   << valueText(cost.full, row);
        if (armA != nullptr)
            line.cells << valueText(*armA, row);
        line.cells << valueText(cost.hybrid, row);
        if (own && of && *of > 0)
            line.share = *own / *of;
        lines.push_back(std::move(line));
    }
    model.show(std::move(columns), std::move(lines));
}

void showLayers(ShareTableModel& model, const Snapshot& snapshot) {
    std::vector<ShareTableModel::Line> lines;
    const ModelShape& shape = snapshot.model->shape;
    const std::size_t tokens = snapshot.tokens->size();
    if (snapshot.isolated)
        for (const LayerFidelity& layer : snapshot.isolated->layers) {
            const std::uint64_t full =
                modelPairs(shape, layer.layer, {0, tokens}, tokens) * static_cast<std::uint64_t>(shape.heads);
            ShareTableModel::Line line;
            line.cells << QStringLiteral("L%1").arg(layer.layer) << threeDigits(layer.massRecall)
                       << shortCount(full) << shortCount(layer.pairs);
            if (full > 0)
                line.share = static_cast<double>(layer.pairs) / static_cast<double>(full);
            line.tip = ShareTableModel::tr("layer %1: full %2 pairs, B %3, without the router; output error "
                                           "%4, isolated")
                           .arg(QString::number(layer.layer), groupedCount(full), groupedCount(layer.pairs),
                                threeDigits(layer.outputError));
            lines.push_back(std::move(line));
        }
    model.show({ShareTableModel::tr("layer"), ShareTableModel::tr("kept mass"),
                ShareTableModel::tr("pairs, full"), ShareTableModel::tr("pairs, B"),
                ShareTableModel::tr("B of full")},
               std::move(lines));
}

void showLadder(ShareTableModel& model, const Ladder& ladder) {
    const std::array<QString, 4> names{
        ShareTableModel::tr("full, with a cache"), ShareTableModel::tr("full, without"),
        ShareTableModel::tr("B, with a cache"), ShareTableModel::tr("B, without")};
    std::vector<ShareTableModel::Line> lines;
    const auto rungs = ladder.rungs();
    const double slowest = std::max_element(rungs.begin(), rungs.end(), [](const auto& a, const auto& b) {
                               return a.rung->perToken.median < b.rung->perToken.median;
                           })->rung->perToken.median;
    for (std::size_t i = 0; i < rungs.size(); ++i) {
        const LadderRung& rung = *rungs[i].rung;
        ShareTableModel::Line line;
        line.cells << names[i] << QStringLiteral("%1 s").arg(threeDigits(rung.perToken.median))
                   << (rung.promptSeconds > 0 ? QStringLiteral("%1 s").arg(threeDigits(rung.promptSeconds))
                                              : kNone)
                   << QString::fromStdString(formatBytes(rung.kvBytes));
        if (slowest > 0)
            line.share = rung.perToken.median / slowest;
        line.tip = ShareTableModel::tr("median of %1 timed steps").arg(rung.perToken.runs);
        if (rung.perToken.spread)
            line.tip += ShareTableModel::tr(", spread %1 s").arg(threeDigits(*rung.perToken.spread));
        lines.push_back(std::move(line));
    }
    model.show({ShareTableModel::tr("one token more"), ShareTableModel::tr("time"),
                ShareTableModel::tr("the prompt"), ShareTableModel::tr("keys, values"),
                ShareTableModel::tr("of the slowest")},
               std::move(lines));
}

} // namespace fovea::ui
