#pragma once
#include "ui/plot/MapPicture.h"
#include <QWidget>

namespace fovea::ui {

/// The always visible legend of a map.
class MapLegend : public QWidget {
    Q_OBJECT
public:
    explicit MapLegend(QWidget* parent = nullptr);
    void setScene(const MapScene& scene);
    [[nodiscard]] bool hasHeightForWidth() const override { return true; }
    [[nodiscard]] int heightForWidth(int width) const override;
    [[nodiscard]] QSize sizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    MapScene m_scene;
};

} // namespace fovea::ui
