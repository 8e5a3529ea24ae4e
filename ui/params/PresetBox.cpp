#include "ui/params/PresetBox.h"
#include "core/policy/SignalSpec.h"
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QStandardItemModel>
#include <QVBoxLayout>

namespace fovea::ui {

namespace {

constexpr int kRowHeight = 24; // the smallest size that is easy to hit

QString text(std::string_view s) {
    return QString::fromUtf8(s.data(), static_cast<qsizetype>(s.size()));
}

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
        auto* item = new QStandardItem(text(presets[n].name));
        item->setData(static_cast<int>(n), Qt::UserRole);
        item->setToolTip(describe(presets[n]));
        item->setSizeHint({m_list->fontMetrics().horizontalAdvance(item->text()), kRowHeight});
        items->appendRow(item);
    }
    m_list->setModel(items);
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
    if (row >= 0)
        m_help->setText(describe(policyPresets()[static_cast<std::size_t>(m_list->itemData(row).toInt())]));
    else
        m_help->setText(looksAhead(policy) ? tr("Changed by hand. Looks ahead.")
                                           : tr("Changed by hand. Causal."));
}

} // namespace fovea::ui
