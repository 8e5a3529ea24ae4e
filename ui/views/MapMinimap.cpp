#include "ui/views/MapMinimap.h"
#include <QMouseEvent>
#include <QPainter>
#include <algorithm>

namespace fovea::ui {

MapMinimap::MapMinimap(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("map.minimap"));
    setAccessibleName(tr("the whole map; drag to move the view"));
    setToolTip(tr("The whole map in full attention. Drag the frame to move the view."));
    setFixedSize(kSide + 2, kSide + 2);
    setCursor(Qt::PointingHandCursor);
    hide();
}

void MapMinimap::setContent(const MapLayer& content, const Theme& theme, const TileLookup& tiles) {
    m_content = content;
    m_theme = theme;
    const double ratio = devicePixelRatioF();
    const QSizeF side(kSide, kSide);
    m_image = rasterMap(MapFrame::of(MapViewport::fitAll(content.tokens, side), side, ratio), content, theme,
                        tiles);
    m_image.setDevicePixelRatio(ratio);
    update();
}

void MapMinimap::setView(const MapViewport& view, QSizeF plot) {
    m_view = view;
    m_plot = plot;
    update();
}

void MapMinimap::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setPen(QPen(m_theme.controlEdge, 1));
    painter.setBrush(m_theme.paper);
    painter.drawRect(rect().adjusted(0, 0, -1, -1));
    painter.drawImage(QPointF(1, 1), m_image);
    if (m_content.tokens <= 0 || m_view.cell <= 0)
        return;
    const double scale = static_cast<double>(kSide) / m_content.tokens;
    const QRectF seen(1 + m_view.key * scale, 1 + m_view.query * scale,
                      std::max(4.0, m_plot.width() / m_view.cell * scale),
                      std::max(4.0, m_plot.height() / m_view.cell * scale));
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(m_theme.paper, 3));
    painter.drawRect(seen);
    painter.setPen(QPen(m_theme.ink, 1));
    painter.drawRect(seen);
}

void MapMinimap::mousePressEvent(QMouseEvent* event) {
    if (event->button() == Qt::LeftButton)
        moveTo(event->position());
}

void MapMinimap::mouseMoveEvent(QMouseEvent* event) {
    if (event->buttons().testFlag(Qt::LeftButton))
        moveTo(event->position());
}

void MapMinimap::moveTo(QPointF at) {
    const double scale = static_cast<double>(m_content.tokens) / kSide;
    emit moveWanted((at.x() - 1) * scale, (at.y() - 1) * scale);
}

} // namespace fovea::ui
