#include "ui/lesson/CostBar.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include <QLocale>
#include <QPainter>

namespace fovea::ui {

namespace {

constexpr int kBarHeight = 12;

QString count(double value) {
    return QLocale(QLocale::English).toString(qRound64(value));
}

} // namespace

CostBar::CostBar(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("lesson.cost"));
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, qOverload<>(&QWidget::update));
}

void CostBar::show(double tokens, double full, double pairs, double largest) {
    m_tokens = tokens;
    m_full = full;
    m_pairs = pairs;
    m_largest = std::max(largest, std::max(full, 1.0));
    setAccessibleName(sentence());
    update();
}

QString CostBar::sentence() const {
    const QString full =
        tr("%1 tokens, one head: full attention %2 pairs").arg(count(m_tokens), count(m_full));
    if (m_pairs < 0 || m_pairs == m_full)
        return full;
    return tr("%1, here %2 (%3 %)").arg(full, count(m_pairs), threeDigits(100 * m_pairs / m_full));
}

QSize CostBar::sizeHint() const {
    return {200, 2 * (fontMetrics().height() + kBarHeight + 6)};
}

void CostBar::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::current();
    QPainter painter(this);
    const int line = fontMetrics().height();
    const auto bar = [&](int top, const QString& label, double value, const QColor& colour) {
        painter.setPen(theme.ink);
        painter.drawText(QRect(0, top, width(), line), Qt::AlignLeft | Qt::AlignVCenter,
                         fontMetrics().elidedText(label, Qt::ElideRight, width()));
        const QRectF room(0.5, top + line + 0.5, width() - 1, kBarHeight - 1);
        painter.setPen(theme.controlEdge);
        painter.setBrush(theme.paper);
        painter.drawRect(room);
        painter.fillRect(QRectF(room.left(), room.top(), room.width() * value / m_largest, room.height()),
                         colour);
    };
    bar(0, tr("Full attention: %1 pairs").arg(count(m_full)), m_full, theme.armA);
    const QString here =
        m_pairs < 0 ? tr("This step: the router has not chosen yet")
        : m_pairs == m_full
            ? tr("This step: %1 pairs, all of them").arg(count(m_pairs))
            : tr("This step: %1 pairs, %2 %").arg(count(m_pairs), threeDigits(100 * m_pairs / m_full));
    bar(line + kBarHeight + 6, here, std::max(0.0, m_pairs), theme.armB);
}

} // namespace fovea::ui
