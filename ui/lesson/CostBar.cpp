#include "ui/lesson/CostBar.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Rescale.h"
#include "ui/plot/Theme.h"
#include <QPainter>
#include <QStyle>

namespace fovea::ui {

namespace {

constexpr int kBarHeightAtOne = 12;
constexpr int kGrowthMs = 600;

int barHeight() {
    return qRound(scaled(kBarHeightAtOne));
}

QString count(double value) {
    return grouped(qRound64(value));
}

} // namespace

CostBar::CostBar(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("lesson.cost"));
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    m_growth.setStartValue(0.0);
    m_growth.setEndValue(1.0);
    m_growth.setEasingCurve(QEasingCurve::OutCubic);
    connect(&m_growth, &QVariantAnimation::valueChanged, this, [this](const QVariant& value) {
        const double part = value.toDouble();
        const auto between = [part](double a, double b) { return a + (b - a) * part; };
        m_drawn.full = between(m_from.full, m_numbers.full);
        m_drawn.pairs = between(std::max(0.0, m_from.pairs), std::max(0.0, m_numbers.pairs));
        m_drawn.others = between(m_from.others, m_numbers.others);
        m_drawn.largest = between(m_from.largest, m_numbers.largest);
        update();
    });
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, [this] {
        updateGeometry();
        update();
    });
}

void CostBar::show(const Numbers& numbers) {
    Numbers wanted = numbers;
    wanted.largest = std::max({wanted.largest, wanted.full, wanted.pairs + wanted.others, 1.0});
    if (wanted == m_numbers)
        return;
    m_growth.stop();
    m_from = m_drawn;
    if (m_from.full <= 0) // the first time
        m_from = wanted;
    m_numbers = wanted;
    setAccessibleName(sentence());
    const bool stills = style()->styleHint(QStyle::SH_Widget_Animation_Duration, nullptr, this) <= 0;
    if (stills || m_from == wanted || !isVisible()) {
        m_drawn = wanted;
        update();
    } else {
        m_growth.setDuration(kGrowthMs);
        m_growth.start();
    }
}

QString CostBar::here() const {
    if (m_numbers.pairs < 0)
        return tr("Now: the router has not chosen yet");
    const double work = m_numbers.pairs + m_numbers.others;
    const QString share = threeDigits(100 * work / std::max(m_numbers.full, 1.0));
    if (m_numbers.others > 0)
        return tr("Now: %1 pairs and work worth %2 more, %3 %")
            .arg(count(m_numbers.pairs), count(m_numbers.others), share);
    if (work == m_numbers.full)
        return tr("Now: %1 pairs, all of them").arg(count(work));
    return tr("Now: %1 pairs, %2 %").arg(count(work), share);
}

QString CostBar::sentence() const {
    return tr("%1 tokens, one head. Full attention: %2 pairs. %3.")
        .arg(count(m_numbers.tokens), count(m_numbers.full), here());
}

QSize CostBar::sizeHint() const {
    return {200, 2 * (fontMetrics().height() + barHeight() + 6)};
}

void CostBar::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::current();
    QPainter painter(this);
    const int line = fontMetrics().height();
    const auto bar = [&](int top, const QString& label, double value, double more, const QColor& colour) {
        painter.setPen(theme.ink);
        painter.drawText(QRect(0, top, width(), line), Qt::AlignLeft | Qt::AlignVCenter,
                         fontMetrics().elidedText(label, Qt::ElideRight, width()));
        const QRectF room(0.5, top + line + 0.5, width() - 1, barHeight() - 1);
        painter.setPen(theme.controlEdge);
        painter.setBrush(theme.paper);
        painter.drawRect(room);
        const double scale = room.width() / std::max(m_drawn.largest, 1.0);
        painter.fillRect(QRectF(room.left(), room.top(), value * scale, room.height()), colour);
        const QRectF rest(room.left() + value * scale, room.top(), more * scale, room.height());
        if (more > 0) { // told apart by lines, too
            painter.fillRect(rest, theme.warning);
            painter.setPen(QPen(theme.paper, 1));
            for (double x = rest.left() + 4; x < rest.right(); x += 6)
                painter.drawLine(QPointF(x, rest.top()), QPointF(x, rest.bottom()));
        }
    };
    bar(0, tr("One head, full attention: %1 pairs").arg(count(m_numbers.full)), m_drawn.full, 0, theme.armA);
    bar(line + barHeight() + 6, here(), std::max(0.0, m_drawn.pairs), m_drawn.others, theme.armB);
}

} // namespace fovea::ui
