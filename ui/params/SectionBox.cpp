#include "ui/params/SectionBox.h"
#include "ui/params/Sections.h"
#include "ui/plot/ElidedLabel.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/Theme.h"
#include <QCheckBox>
#include <QHBoxLayout>
#include <QToolButton>
#include <QVBoxLayout>

namespace fovea::ui {

namespace {

constexpr int kHeader = 28;

} // namespace

SectionBox::SectionBox(std::string_view section, QWidget* parent) : QWidget(parent), m_section(section) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* line = new QHBoxLayout;
    line->setSpacing(2);
    column->addLayout(line);
    m_arrow = new QToolButton(this);
    m_arrow->setObjectName(QStringLiteral("params.open.%1").arg(text(section)));
    m_arrow->setAccessibleName(tr("%1: all parameters").arg(sectionTitle(section)));
    m_arrow->setToolTip(tr("Shows or hides the parameters of this part"));
    m_arrow->setArrowType(Qt::RightArrow);
    m_arrow->setAutoRaise(true);
    m_arrow->setCheckable(true);
    m_arrow->setFixedSize(24, kHeader);
    line->addWidget(m_arrow);
    m_switch = new QCheckBox(sectionTitle(section), this);
    m_switch->setObjectName(QStringLiteral("params.section.%1").arg(text(section)));
    m_switch->setFont(Theme::section());
    m_switch->setMinimumHeight(kHeader);
    m_switch->setToolTip(tr("Takes this part off, or puts it back as it was"));
    line->addWidget(m_switch);
    m_state = new ElidedLabel(this);
    m_state->setObjectName(QStringLiteral("params.state.%1").arg(text(section)));
    m_state->setFont(Theme::second());
    m_state->setForegroundRole(QPalette::PlaceholderText);
    m_state->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    line->addWidget(m_state, 1);
    m_body = new QWidget(this);
    m_rows = new QVBoxLayout(m_body);
    m_rows->setContentsMargins(0, 0, 0, 4);
    m_rows->setSpacing(0);
    m_body->hide();
    column->addWidget(m_body);
    connect(m_switch, &QCheckBox::clicked, this, [this](bool on) { emit switched(m_section, on); });
    connect(m_arrow, &QToolButton::clicked, this, [this](bool open) {
        setOpen(open);
        emit opened(open);
    });
}

bool SectionBox::isOpen() const {
    return m_arrow->isChecked();
}

void SectionBox::setOpen(bool open) {
    m_arrow->setChecked(open);
    m_arrow->setArrowType(open ? Qt::DownArrow : Qt::RightArrow);
    m_body->setVisible(open);
}

void SectionBox::addRow(QWidget* row) {
    m_rows->addWidget(row);
}

void SectionBox::show(const AttentionPolicy& policy) {
    m_switch->setChecked(sectionOn(policy, m_section));
    const QString state = sectionState(policy, m_section);
    m_state->setText(state);
    m_state->setToolTip(plainTip(state));
}

} // namespace fovea::ui
