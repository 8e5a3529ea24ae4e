#include "ui/views/RooflineView.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/Rescale.h"
#include "ui/plot/Theme.h"
#include <QPainter>
#include <algorithm>
#include <cmath>

namespace fovea::ui {

namespace {

// For scale 1.
constexpr double kLeftRoom = 44, kBottomRoom = 34, kTopRoom = 20, kRightRoom = 8;
constexpr double kLine = 16; ///< of axis numbers

double decadeBelow(double value) {
    return std::pow(10, std::floor(std::log10(value)));
}
double decadeAbove(double value) {
    return std::pow(10, std::ceil(std::log10(value)));
}

} // namespace

RooflineView::RooflineView(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("profile.roofline"));
    setAccessibleName(tr("Roofline"));
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, qOverload<>(&QWidget::update));
    hide(); // until it is measured
}

void RooflineView::show(const Peak& peak, std::vector<RoofPoint> points) {
    m_peak = peak;
    m_points = std::move(points);
    const double ridge = peak.fmaGflops / peak.readGBs; // where the roofs meet
    double least = ridge, most = ridge, slow = peak.fmaGflops;
    for (const RoofPoint& point : m_points) {
        least = std::min(least, point.intensity());
        most = std::max(most, point.intensity());
        slow = std::min(slow, point.gflops());
    }
    m_left = decadeBelow(least / 2);
    m_right = decadeAbove(most * 2);
    m_low = decadeBelow(std::min(slow, roofAt(peak, m_left)));
    m_high = decadeAbove(peak.fmaGflops * 1.2);
    m_old = false;
    setAccessibleDescription(sentence());
    setToolTip(plainTip(sentence()));
    setVisible(!m_points.empty());
    update();
}

void RooflineView::setOld(bool old) {
    m_old = old;
    update();
}

QString RooflineView::sentence() const {
    if (!m_peak)
        return {};
    QStringList lines{tr("Measured peak %1 Gflop/s in f32 with %2 threads, reads %3 GB/s.")
                          .arg(threeDigits(m_peak->fmaGflops))
                          .arg(m_peak->threads)
                          .arg(threeDigits(m_peak->readGBs))};
    for (const RoofPoint& point : m_points)
        lines << roofText(point, *m_peak);
    lines << tr("Attention alone. Bytes: queries, keys, values and outputs once, the least that must move.");
    return lines.join(QLatin1Char('\n'));
}

QRectF RooflineView::plot() const {
    return QRectF(rect()).adjusted(scaled(kLeftRoom), scaled(kTopRoom), -scaled(kRightRoom),
                                   -scaled(kBottomRoom));
}

QPointF RooflineView::placeOf(double intensity, double gflops) const {
    const auto share = [](double value, double low, double high) {
        return std::clamp((std::log10(value) - std::log10(low)) / (std::log10(high) - std::log10(low)), 0.0,
                          1.0);
    };
    const QRectF room = plot();
    return {room.left() + room.width() * share(intensity, m_left, m_right),
            room.bottom() - room.height() * share(gflops, m_low, m_high)};
}

void RooflineView::paintEvent(QPaintEvent*) {
    if (!m_peak)
        return;
    const Theme& theme = Theme::current();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const QRectF room = plot();
    const QColor ink = m_old ? theme.ink2 : theme.ink;
    painter.fillRect(room, theme.paper);
    painter.setFont(Theme::axis());
    painter.setPen(ink);
    const QFontMetricsF metrics(painter.font());
    painter.drawText(QRectF(0, 0, width(), scaled(kTopRoom)), Qt::AlignLeft | Qt::AlignVCenter,
                     metrics.elidedText(tr("Gflop/s of attention, measured"), Qt::ElideRight, width()));
    painter.drawText(QRectF(room.left(), height() - scaled(kLine) - 1, room.width(), scaled(kLine)),
                     Qt::AlignHCenter | Qt::AlignVCenter,
                     metrics.elidedText(tr("flop per byte, counted"), Qt::ElideRight, room.width()));
    for (double x = m_left; x <= m_right * 1.001; x *= 10) {
        const double at = placeOf(x, m_low).x();
        painter.setPen(theme.divider);
        painter.drawLine(QPointF(at, room.top()), QPointF(at, room.bottom()));
        painter.setPen(theme.ink2);
        painter.drawText(QRectF(at - scaled(30), room.bottom() + 2, scaled(60), scaled(kLine)),
                         Qt::AlignCenter, QString::number(x, 'g', 3));
    }
    for (double y = m_low; y <= m_high * 1.001; y *= 10) {
        const double at = placeOf(m_left, y).y();
        painter.setPen(theme.divider);
        painter.drawLine(QPointF(room.left(), at), QPointF(room.right(), at));
        painter.setPen(theme.ink2);
        painter.drawText(QRectF(0, at - scaled(kLine) / 2, scaled(kLeftRoom) - 4, scaled(kLine)),
                         Qt::AlignRight | Qt::AlignVCenter, QString::number(y, 'g', 3));
    }
    const double ridge = m_peak->fmaGflops / m_peak->readGBs;
    painter.setPen(QPen(ink, 2));
    painter.drawPolyline(QPolygonF({placeOf(m_left, roofAt(*m_peak, m_left)),
                                    placeOf(ridge, m_peak->fmaGflops), placeOf(m_right, m_peak->fmaGflops)}));
    painter.setPen(QPen(theme.controlEdge, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(room);
    for (const RoofPoint& point : m_points) {
        const QPointF at = placeOf(point.intensity(), point.gflops());
        const QColor colour = point.armB ? theme.armB : theme.armA;
        painter.setPen(QPen(colour, 2));
        painter.setBrush(m_old ? theme.paper : colour);
        if (point.armB)
            painter.drawPolygon(QPolygonF(
                {at + QPointF(0, -5), at + QPointF(5, 0), at + QPointF(0, 5), at + QPointF(-5, 0)}));
        else
            painter.drawEllipse(at, 4, 4);
        painter.setPen(ink);
        const double wide = metrics.horizontalAdvance(point.name);
        const bool left = at.x() + 8 + wide > room.right();
        painter.drawText(QPointF(left ? at.x() - 8 - wide : at.x() + 8, at.y() + 4), point.name);
    }
}

} // namespace fovea::ui
