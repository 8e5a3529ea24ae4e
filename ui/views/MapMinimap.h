#pragma once
#include "ui/plot/MapRaster.h"
#include <QImage>
#include <QWidget>

namespace fovea::ui {

/// The whole map in a small square, with a frame around the part that the view shows. A click or drag moves
/// the view there. It shows full attention, whose coarse picture every run has.
class MapMinimap : public QWidget {
    Q_OBJECT
public:
    static constexpr int kSide = 128;
    /// Texts below this length need none.
    static constexpr int kFromTokens = 2048;

    explicit MapMinimap(QWidget* parent = nullptr);
    void setContent(const MapLayer& content, const Theme& theme, const TileLookup& tiles);
    void setView(const MapViewport& view, QSizeF plot);
    [[nodiscard]] const QImage& image() const { return m_image; }

signals:
    void moveWanted(double key, double query); ///< to the middle of the view, in cells

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;

private:
    void moveTo(QPointF at);
    MapLayer m_content;
    Theme m_theme;
    QImage m_image;
    MapViewport m_view;
    QSizeF m_plot;
};

} // namespace fovea::ui
