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

/// Everything that a picture of the map shows, except the values. The same code paints it on screen and into
/// files.
struct MapScene {
    std::shared_ptr<const Tokens> tokens; ///< for labels, one for each cell; may be null (then numbers only)
    int count = 0;                        ///< cells per side
    /// That of the panes. Cells are labelled by their first token's number, and all marks below count cells.
    std::shared_ptr<const MapRecipe> recipe;
    std::vector<MapLayer> panes; ///< one to three maps with one viewport
    MapViewport view;
    Theme theme;
    Pair hovered, pinned;
    int hoveredToken = -1;
    SelectionModel::Block block; ///< outlined; invalid: none
    std::vector<int> pins;       ///< pinned tokens: each is a line along its row, with its label
    QString empty;               ///< sentence shown instead of maps
    /// [cells] what each query gives the keys in the strip at the left of the first map; empty: no strip.
    std::vector<float> strip;
    bool stripRoom = false; ///< the strip has its room although its values are not known yet
    QString hidden;         ///< what is left out and its share of the mass, for the legend; may be empty
    QString armA, armB;     ///< what the arms are called: titles and legend name them; may be empty
    /// In the window: the words of the axes stand in the margins of the labels, and a map has a title only
    /// beside another one, so that the cells get the room. Plots are square, as the map of a whole text is.
    bool bare = false;
    QString heading;    ///< files only: a line above
    QString provenance; ///< files only: a line below
};

/// The places of the parts of a scene, in logical pixels.
struct MapLayout {
    std::vector<QRectF> plots;
    double queryGutter = 0, keyGutter = 0; ///< widths of the label margins
    double strip = 0;                      ///< of the query margin, next to the plot
    double titleHeight = 0, axisWordHeight = 0;
    bool tokenLabels = false;
};

inline constexpr double kTokenLabelsFrom = 11, kNumbersFrom = 28; ///< logical pixels per cell

[[nodiscard]] MapLayout layoutMap(const MapScene& scene, const QRectF& area);
[[nodiscard]] bool hasStripRoom(const MapScene& scene);
/// The viewport that shows the whole text as large as it fits, whatever the scene's own viewport is.
[[nodiscard]] MapViewport fitWhole(MapScene scene, const QRectF& area);
/// "A: full attention", "B \u2212 A", ... with the names of the scene's arms. A map of full attention beside
/// a policy as arm A is of neither arm.
[[nodiscard]] QString paneTitle(const MapScene& scene, const MapLayer& pane);
/// Whether arm A of the scene is a policy: a pane is of it, or of the difference to it.
[[nodiscard]] bool comparesPolicies(const MapScene& scene);

/// How cells are drawn.
enum class CellInk : std::uint8_t {
    Image,  ///< one image per plot, made at `ratio` device pixels per logical pixel
    Vector, ///< rectangles and clipped lines: for files with few cells
};
struct PaintOptions {
    double ratio = 1;
    CellInk cells = CellInk::Image;
    /// Returns the image of a pane if the caller caches them; empty: images are made here.
    std::function<QImage(std::size_t pane, const MapFrame& frame)> image;
};
/// Paints cells, axes, labels, numbers, diagonal, pins and crosshair. Text is plain and at least 11 px.
void paintMap(QPainter& painter, const MapScene& scene, const MapLayout& layout, const TileLookup& tiles,
              const PaintOptions& options);

/// The number of cells that a vector picture of this scene would contain; 0 if a pixel pools several cells.
[[nodiscard]] std::size_t vectorCells(const MapScene& scene, const MapLayout& layout);

/// Height the legend needs at this width, and its picture: ramp with ends, the four states, scale and pooling
/// in words.
[[nodiscard]] double legendHeight(const MapScene& scene, double width, double devicePixelsPerPixel);
void paintMapLegend(QPainter& painter, const MapScene& scene, const QRectF& area,
                    double devicePixelsPerPixel);

/// "412 harbour": the number of a cell's first token and the cell's text, plain, cut to `characters`. No
/// characters: the number alone.
[[nodiscard]] QString cellLabel(const MapScene& scene, int cell, std::size_t characters);

} // namespace fovea::ui
