#pragma once
#include "core/text/Tokens.h"
#include "ui/plot/MapRaster.h"
#include "ui/plot/NumberText.h"
#include <QPainter>
#include <QRectF>
#include <QString>
#include <memory>
#include <vector>

namespace fovea::ui {

/// Everything a picture of the map shows, apart from the values: painted on the screen and, by the same code,
/// into files.
struct MapScene {
    std::shared_ptr<const Tokens> tokens; ///< for labels; may be null (then numbers only)
    int count = 0;                        ///< T
    std::vector<MapLayer> panes;          ///< one to three maps with one viewport
    MapViewport view;
    Theme theme;
    Pair hovered, pinned;
    int hoveredToken = -1;
    std::vector<int> pins; ///< pinned tokens: each is a line along its row, with its label
    QString empty;         ///< instead of maps: the sentence of the empty state
    QString heading;       ///< files only: a line above
    QString provenance;    ///< files only: a line below
};

/// Where the parts of a scene stand, logical pixels.
struct MapLayout {
    std::vector<QRectF> plots;
    double queryGutter = 0, keyGutter = 0; ///< widths of the label margins
    bool tokenLabels = false;
};

inline constexpr double kTokenLabelsFrom = 11, kNumbersFrom = 28; ///< logical pixels per cell

[[nodiscard]] MapLayout layoutMap(const MapScene& scene, const QRectF& area);
/// "full attention p", ...
[[nodiscard]] QString quantityTitle(MapQuantity quantity);

/// How cells reach the paper.
enum class CellInk : std::uint8_t {
    Image,  ///< one image per plot, made at `ratio` device pixels per logical pixel
    Vector, ///< rectangles and clipped lines: for files with few cells
};
struct PaintOptions {
    double ratio = 1;
    CellInk cells = CellInk::Image;
    /// Made images by pane, when the caller keeps them; empty: made here.
    std::function<QImage(std::size_t pane, const MapFrame& frame)> image;
};
/// Axes, words, labels, cells, numbers, diagonal, pins and crosshair. Texts are plain and never below 11 px.
void paintMap(QPainter& painter, const MapScene& scene, const MapLayout& layout, const TileLookup& tiles,
              const PaintOptions& options);

/// Cells that a vector picture of this scene would hold; 0 when a pixel pools several cells.
[[nodiscard]] std::size_t vectorCells(const MapScene& scene, const MapLayout& layout);

/// Height the legend needs at this width, and its picture: ramp with ends, the four states, scale and pooling
/// in words.
[[nodiscard]] double legendHeight(const MapScene& scene, double width, double devicePixelsPerPixel);
void paintMapLegend(QPainter& painter, const MapScene& scene, const QRectF& area,
                    double devicePixelsPerPixel);

/// "#412 harbour", plain text, cut to `characters` of token text.
[[nodiscard]] QString tokenLabel(const Tokens* tokens, int token, std::size_t characters);

} // namespace fovea::ui
