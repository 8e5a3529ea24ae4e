#include "ui/views/MapLegend.h"
#include "ui/plot/Rescale.h"
#include <QPainter>
#include <algorithm>
#include <cmath>

namespace fovea::ui {

namespace {
constexpr int kDistance = 8; ///< from the corner of the map
// At scale 1:
constexpr int kWidest = 330; ///< room for the colour bar and its name
constexpr int kTall = 160;   ///< what it usually needs of the height: as much is left free beside it
} // namespace

MapLegend::MapLegend(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("map.legend"));
    setAccessibleName(tr("legend of the map"));
    setAttribute(Qt::WA_TransparentForMouseEvents);
}

void MapLegend::setScene(const MapScene& scene) {
    m_scene = scene;
    update();
}

int MapLegend::heightFor(int width) const {
    return static_cast<int>(std::ceil(legendHeight(m_scene, width, devicePixelRatioF())));
}

void MapLegend::placeIn(const QRectF& plot) {
    const int width = std::min(qRound(scaled(kWidest)), qRound(plot.width() - scaled(kTall)));
    setGeometry(static_cast<int>(plot.right()) - width - kDistance, static_cast<int>(plot.top()) + kDistance,
                std::max(width, 1), heightFor(width));
}

void MapLegend::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing, false);
    painter.setPen(QPen(m_scene.theme.divider, 1));
    painter.setBrush(m_scene.theme.paper);
    painter.drawRect(rect().adjusted(0, 0, -1, -1));
    paintMapLegend(painter, m_scene, QRectF(rect()), devicePixelRatioF());
}

} // namespace fovea::ui
