#pragma once
#include "ui/plot/MapPicture.h"
#include <QWidget>

namespace fovea::ui {

/// The legend of a map, a card that lies over the map where the picture has room: the upper right half of a
/// causal map is empty. It lets the mouse through.
class MapLegend : public QWidget {
    Q_OBJECT
public:
    explicit MapLegend(QWidget* parent = nullptr);
    void setScene(const MapScene& scene);
    [[nodiscard]] int heightFor(int width) const;
    /// Moves into the upper right corner of `plot`, and stays above the diagonal where the map has room.
    void placeIn(const QRectF& plot);

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    MapScene m_scene;
};

} // namespace fovea::ui
