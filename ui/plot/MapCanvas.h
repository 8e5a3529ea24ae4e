#pragma once
#include "ui/plot/MapPicture.h"
#include <QElapsedTimer>
#include <QWidget>
#include <optional>

namespace fovea::ui {

/// The widget that paints the maps. It shows a scene, moves the viewport by mouse, wheel and keys, and
/// reports the cell under the pointer. It knows neither runs nor selection. The image of each pane is cached
/// until its frame, content or tiles change; hovering only repaints it.
class MapCanvas : public QWidget {
    Q_OBJECT
public:
    explicit MapCanvas(QWidget* parent = nullptr);

    /// Replaces the content. The viewport stays, unless the number of tokens changes: then it shows
    /// everything.
    void setScene(MapScene scene);
    /// Sets the hovered and pinned cells. Only repaints; images are not made again.
    void setMarks(Pair hovered, Pair pinned, int hoveredToken, std::vector<int> pins);
    void setBlock(SelectionModel::Block block); ///< the chosen rectangle
    /// The cells under a rectangle of the widget, clipped to the text; invalid outside the plots.
    [[nodiscard]] SelectionModel::Block cellsIn(const QRectF& box) const;
    [[nodiscard]] const MapScene& scene() const { return m_scene; }
    void setTiles(TileLookup tiles) { m_tiles = std::move(tiles); }
    /// Call when tiles or theme have changed: images are made again at the next paint.
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
    /// Scrolls as little as necessary to show a cell.
    void reveal(Pair pair);
    /// Shows about 32 cells around a pair.
    void fitPair(Pair pair);
    /// The centre of a cell in widget coordinates, in the given pane.
    [[nodiscard]] QPointF cellCentre(Pair pair, std::size_t pane = 0) const;
    /// Milliseconds needed for the last images of all panes: the cost of a pan, a zoom or a change of
    /// colours.
    [[nodiscard]] double lastRasterMs() const { return m_rasterMs; }

signals:
    void viewportChanged();
    void pairHovered(fovea::ui::Pair pair);
    void pairClicked(fovea::ui::Pair pair, Qt::KeyboardModifiers modifiers);
    void blockChosen(fovea::ui::SelectionModel::Block block);
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
    enum class Drag { None, Click, Pan, Zoom, Block };
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
    bool m_fitted = true; ///< the whole text is shown, and stays so after a resize
    double m_rasterMs = 0;
};

} // namespace fovea::ui
