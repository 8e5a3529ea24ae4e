#include "ui/window/MessageBar.h"
#include "ui/plot/Icons.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/Rescale.h"
#include "ui/plot/Theme.h"
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QResizeEvent>
#include <QToolButton>
#include <algorithm>
#include <utility>

namespace fovea::ui {

MessageBar::MessageBar(const QString& name, QWidget* parent) : QWidget(parent) {
    setObjectName(name);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    auto* line = new QHBoxLayout(this);
    line->setContentsMargins(12, 1, 8, 1);
    line->setSpacing(8);
    m_icon = new QLabel(this);
    m_icon->setObjectName(name + QStringLiteral(".icon"));
    line->addWidget(m_icon);
    m_text = new QLabel(this);
    m_text->setObjectName(name + QStringLiteral(".text"));
    m_text->setTextFormat(Qt::PlainText);
    m_text->setWordWrap(true);
    m_text->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_text->setMinimumWidth(200);
    m_text->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    line->addWidget(m_text, 1);
    m_buttons = new QHBoxLayout;
    m_buttons->setSpacing(8);
    line->addLayout(m_buttons);
    m_close = new QToolButton(this);
    m_close->setObjectName(name + QStringLiteral(".close"));
    m_close->setIcon(icon(QStringLiteral("close")));
    m_close->setAutoRaise(true);
    m_close->setFixedSize(24, 24);
    m_close->setToolTip(tr("Close"));
    m_close->setAccessibleName(tr("Close the message"));
    connect(m_close, &QToolButton::clicked, this, &MessageBar::close);
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, &MessageBar::fitHeight);
    line->addWidget(m_close);
    hide();
}

void MessageBar::show(Kind kind, const QString& sentence, const std::vector<Choice>& choices,
                      const QString& topic) {
    if (m_showing && kind == Hint && m_message.kind == Question && m_message.topic != topic)
        m_waiting = std::move(m_message);
    else if (kind != Hint || (m_waiting && m_waiting->topic == topic))
        m_waiting.reset();
    put({kind, sentence, choices, topic});
}

void MessageBar::put(Message message) {
    m_message = std::move(message);
    m_showing = true;
    m_text->setText(m_message.sentence);
    m_icon->setVisible(m_message.kind != Hint);
    m_icon->setPixmap(icon(QStringLiteral("warning")).pixmap(16, 16));
    while (QLayoutItem* item = m_buttons->takeAt(0)) {
        item->widget()->hide();
        item->widget()->deleteLater(); // it may be the button whose click brought us here
        delete item;
    }
    int number = 0;
    for (const Choice& choice : m_message.choices) {
        auto* button = new QPushButton(choice.label, this);
        button->setObjectName(QStringLiteral("%1.button.%2").arg(objectName()).arg(number++));
        button->setMinimumHeight(qRound(scaled(24)));
        connect(button, &QPushButton::clicked, this, [this, act = choice.act] {
            close();
            act();
        });
        m_buttons->addWidget(button);
    }
    setVisible(true);
    fitHeight();
    update();
}

void MessageBar::fitHeight() {
    // A hint without room keeps its buttons; its words are in the tip.
    const int words = m_text->minimumWidth() + layout()->spacing();
    const int others = layout()->minimumSize().width() - (m_text->isHidden() ? 0 : words);
    const bool room = m_message.kind != Hint || m_message.choices.empty() || width() >= others + words;
    m_text->setVisible(room);
    setToolTip(room ? QString() : plainTip(m_message.sentence));
    // Tool bars know no height for a width: a long sentence would be cut after its first line.
    setFixedHeight(std::max(qRound(scaled(26)), layout()->heightForWidth(width())));
}

void MessageBar::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    if (event->size().width() != event->oldSize().width())
        fitHeight();
}

void MessageBar::clear(const QString& topic) {
    if (m_waiting && topic == m_waiting->topic)
        m_waiting.reset();
    if (m_showing && topic == m_message.topic)
        close();
}

void MessageBar::close() {
    if (!m_showing)
        return;
    if (m_waiting) {
        put(*std::exchange(m_waiting, {}));
        return;
    }
    m_showing = false;
    hide();
    emit closed();
}

void MessageBar::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::current();
    QPainter painter(this);
    painter.fillRect(rect(), theme.panel);
    const QColor edge = m_message.kind == Fault      ? theme.bad
                        : m_message.kind == Question ? theme.warning
                                                     : theme.accent;
    painter.fillRect(QRect(0, 0, 4, height()), edge);
    painter.setPen(theme.divider);
    painter.drawLine(0, height() - 1, width(), height() - 1);
}

} // namespace fovea::ui
