#include "ui/params/PresetBox.h"
#include "core/policy/PresetTimes.h"
#include "core/policy/PresetTitle.h"
#include "core/policy/SignalSpec.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Style.h"
#include "ui/plot/Theme.h"
#include <QAbstractItemView>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QStandardItemModel>
#include <QStyledItemDelegate>
#include <QVBoxLayout>

namespace fovea::ui {

namespace {

/// "The last 128 keys and the first 4. Published with drop-in weights (2309.17453). Causal."
QString describe(const PolicyPreset& preset) {
    QString line = text(preset.help);
    if (!line.isEmpty())
        line[0] = line[0].toUpper();
    line += QStringLiteral(". ");
    if (!preset.source.empty())
        line += preset.weights == "drop-in"
                    ? PresetBox::tr("Published on ordinary weights (%1). ").arg(text(preset.source))
                    : PresetBox::tr("Published with %1 weights (%2), dropped in here. ")
                          .arg(text(preset.weights), text(preset.source));
    if (preset.policy.bidirectional())
        return line +
               PresetBox::tr("Looks ahead: for bidirectional models only, and refused on causal ones.");
    line += looksAhead(preset.policy) ? PresetBox::tr("Looks ahead.") : PresetBox::tr("Causal.");
    return line;
}

constexpr int kIdRole = Qt::UserRole + 1;

/// The name people know in ink, the name of files and the command line in second ink at the right.
class TitleAndId : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& at) const override {
        QStyledItemDelegate::paint(painter, option, at);
        const QString id = at.data(kIdRole).toString();
        if (id.isEmpty())
            return;
        painter->save();
        painter->setPen((option.state & QStyle::State_Selected) != 0
                            ? option.palette.color(QPalette::HighlightedText)
                            : Theme::current().ink2);
        painter->drawText(option.rect.adjusted(0, 0, -8, 0), Qt::AlignRight | Qt::AlignVCenter, id);
        painter->restore();
    }
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& at) const override {
        const QString id = at.data(kIdRole).toString();
        const int extra = id.isEmpty() ? 0 : option.fontMetrics.horizontalAdvance(id) + 32;
        const QSize own = QStyledItemDelegate::sizeHint(option, at);
        return {own.width() + extra, std::max(own.height(), kTableRow)};
    }
};

} // namespace

PresetBox::PresetBox(QWidget* parent) : QWidget(parent) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(4);
    auto* line = new QHBoxLayout;
    auto* label = new QLabel(tr("Preset"), this);
    label->setObjectName(QStringLiteral("params.preset.label"));
    line->addWidget(label);
    m_list = new QComboBox(this);
    m_list->setObjectName(QStringLiteral("params.preset"));
    m_list->setAccessibleName(tr("Preset"));
    m_list->setFixedHeight(28);
    m_list->setMaxVisibleItems(24);
    m_list->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_list->setPlaceholderText(tr("changed by hand"));
    line->addWidget(m_list, 1);
    column->addLayout(line);
    m_help = new QLabel(this);
    m_help->setObjectName(QStringLiteral("params.preset.help"));
    m_help->setTextFormat(Qt::PlainText);
    m_help->setWordWrap(true);
    column->addWidget(m_help);

    auto* items = new QStandardItemModel(m_list);
    std::string_view family;
    const auto& presets = policyPresets();
    for (std::size_t n = 0; n < presets.size(); ++n) {
        if (presets[n].family != family) {
            family = presets[n].family;
            auto* heading = new QStandardItem(text(family));
            heading->setFlags(Qt::NoItemFlags); // neither picked nor reached by keys
            QFont bold = font();
            bold.setBold(true);
            heading->setFont(bold);
            items->appendRow(heading);
        }
        auto* item = new QStandardItem(QString::fromStdString(presetTitle(presets[n])));
        item->setData(text(presets[n].name), kIdRole);
        item->setData(static_cast<int>(n), Qt::UserRole);
        const std::string time = timeNote(presets[n].name);
        item->setToolTip(describe(presets[n]) +
                         (time.empty() ? QString() : QStringLiteral(" %1.").arg(text(time))));
        items->appendRow(item);
    }
    m_list->setModel(items);
    auto* delegate = new TitleAndId(m_list);
    m_list->setItemDelegate(delegate);
    m_list->view()->setMinimumWidth(m_list->view()->sizeHintForColumn(0) + 24); // the ids beside the titles
    m_list->setCurrentIndex(-1);
    connect(m_list, &QComboBox::activated, this, [this](int row) {
        const QVariant at = m_list->itemData(row);
        if (at.isValid())
            emit picked(policyPresets()[static_cast<std::size_t>(at.toInt())]);
    });
}

int PresetBox::rowOf(const AttentionPolicy& policy) const {
    const auto& presets = policyPresets();
    for (int row = 0; row < m_list->count(); ++row) {
        const QVariant at = m_list->itemData(row);
        if (at.isValid() && presets[static_cast<std::size_t>(at.toInt())].policy == policy)
            return row;
    }
    return -1;
}

void PresetBox::show(const AttentionPolicy& policy) {
    const int row = rowOf(policy);
    m_list->setCurrentIndex(row);
    m_list->setToolTip(
        row < 0 ? QString() : tr("On the command line: %1").arg(m_list->itemData(row, kIdRole).toString()));
    if (row >= 0)
        m_help->setText(describe(policyPresets()[static_cast<std::size_t>(m_list->itemData(row).toInt())]));
    else
        m_help->setText(looksAhead(policy) ? tr("Changed by hand. Looks ahead.")
                                           : tr("Changed by hand. Causal."));
}

} // namespace fovea::ui
