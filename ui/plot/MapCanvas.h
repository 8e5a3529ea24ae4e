#pragma once
#include "ui/plot/MapPicture.h"
#include <QElapsedTimer>
#include <QWidget>
#include <optional>

namespace fovea::ui {

/// The painted maps: shows a scene, moves its viewport with mouse, wheel and keys, and says what is pointed
/// at. Knows neither runs nor selection. The picture of each pane is kept until its frame, content or tiles
/// change; a hover only repaints it.
class MapCanvas : public QWidget {
    Q_OBJECT
public:
    explicit MapCanvas(QWidget* parent = nullptr);

    /// Replaces what is shown but not where: the viewport stays, or fits everything when the number of tokens
    /// changed.
    void setScene(MapScene scene);
    /// What is pointed at and pinned: a repaint, no new picture.
    void setMarks(Pair hovered, Pair pinned, int hoveredToken, std::vector<int> pins);
    [[nodiscard]] const MapScene& scene() const { return m_scene; }
    void setTiles(TileLookup tiles) { m_tiles = std::move(tiles); }
    /// Tiles or theme changed: pictures are made again at the next paint.
    void invalidate();

    [[nodiscard]] const MapViewport& viewport() const { return m_scene.view; }
    void setViewport(const MapViewport& view);
    void fitAll();
    /// The whole text is shown, and will be after a resize.
    [[nodiscard]] bool fitted() const { return m_fitted; }
    [[nodiscard]] MapLayout mapLayout() const;
    [[nodiscard]] MapFrame frame() const;
    /// Cells of the first plot, clipped to the text.
    [[nodiscard]] RowRange shownQueries() const;
    [[nodiscard]] RowRange shownKeys() const;
    /// The cells that the device pixel under `position` shows; empty outside the plots.
    struct Block {
        RowRange queries, keys;
        std::size_t pane = 0;
    };
    [[nodiscard]] std::optional<Block> blockAt(QPointF position) const;
    /// Does a device pixel show more than one cell? Then a position's pair is the last query and first key of
    /// its block: causal if any pair of the block is.
    [[nodiscard]] bool pools() const { return m_scene.view.cell * devicePixelRatioF() < 1; }
    /// Where the mouse was last.
    [[nodiscard]] QPointF pointer() const { return m_last; }
    [[nodiscard]] std::size_t paneAt(QPointF position) const;
    /// Moves as little as needed to show a cell.
    void reveal(Pair pair);
    /// Shows some 32 cells around a pair.
    void fitPair(Pair pair);
    /// Where a cell's middle is on this widget, in the given pane.
    [[nodiscard]] QPointF cellCentre(Pair pair, std::size_t pane = 0) const;
    /// Milliseconds that the last making of all panes' pictures took: what a pan, a zoom or a change of
    /// colours costs.
    [[nodiscard]] double lastRasterMs() const { return m_rasterMs; }

signals:
    void viewportChanged();
    void pairHovered(fovea::ui::Pair pair);
    void pairClicked(fovea::ui::Pair pair, Qt::KeyboardModifiers modifiers);
    void menuRequested(fovea::ui::Pair pair, QPoint global);
    void resized();

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    bool event(QEvent* event) override;

private:
    enum class Drag { None, Click, Pan, Zoom };
    [[nodiscard]] std::optional<QPointF> inPlot(QPointF position) const;
    [[nodiscard]] Pair pairAt(QPointF position) const;
    void zoomAt(QPointF position, double factor);
    void pan(double dx, double dy);
    [[nodiscard]] QSizeF plotSize() const;
    [[nodiscard]] bool fitsAll() const;

    MapScene m_scene;
    TileLookup m_tiles;
    struct Picture {
        MapFrame frame;
        QImage image;
    };
    std::vector<Picture> m_pictures; ///< by pane
    Drag m_drag = Drag::None;
    Qt::MouseButton m_button = Qt::NoButton;
    QPointF m_pressed, m_last;
    bool m_fitted = true; ///< the whole text is shown, also after a resize
    double m_rasterMs = 0;
};

} // namespace fovea::ui
