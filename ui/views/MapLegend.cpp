#include "ui/views/MapLegend.h"
#include <QPainter>
#include <algorithm>
#include <cmath>

namespace fovea::ui {

MapLegend::MapLegend(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("map.legend"));
    setAccessibleName(tr("legend of the map"));
    QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
}

void MapLegend::setScene(const MapScene& scene) {
    m_scene = scene;
    const int height = heightForWidth(width());
    if (height != this->height())
        updateGeometry();
    update();
}

int MapLegend::heightForWidth(int width) const {
    return static_cast<int>(std::ceil(legendHeight(m_scene, width, devicePixelRatioF())));
}

QSize MapLegend::sizeHint() const {
    return {300, heightForWidth(std::max(width(), 300))};
}

void MapLegend::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing, false);
    paintMapLegend(painter, m_scene, QRectF(rect()), devicePixelRatioF());
}

void MapLegend::resizeEvent(QResizeEvent*) {
    updateGeometry();
}

} // namespace fovea::ui
