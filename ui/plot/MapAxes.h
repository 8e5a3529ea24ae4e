#pragma once
#include "ui/plot/MapPicture.h"
#include <QPainter>

// What paintMap draws around and over the cells of one plot: labels along its edges, and lines and frames of
// what is marked.
namespace fovea::ui {

/// The cells a plot shows, clipped to the text. Half open.
struct CellRange {
    int key0, key1, query0, query1;
};
[[nodiscard]] CellRange shownCells(const MapScene& scene, const QRectF& plot);

/// Logical pixels, at scale 1, of the words that name the axes: height of a line of its own, and width of the
/// upright word at the left edge of the query labels.
inline constexpr double kAxisWordHeight = 16, kQueryWordWidth = 14;

/// The names of the axes with the directions in which they run. `first`: the plot at the left.
void paintAxisWords(QPainter& painter, const MapLayout& layout, const QRectF& plot, bool first);
/// Labels and ticks above a plot; those of hovered and pinned keys come first, the others give way to them.
void paintKeyLabels(QPainter& painter, const MapScene& scene, const MapLayout& layout, const QRectF& plot);
/// The same to the left of it.
void paintQueryLabels(QPainter& painter, const MapScene& scene, const MapLayout& layout, const QRectF& plot);

inline constexpr double kStripWidth = 16;
/// The strip of MapScene::strip; a pixel over several queries shows the largest share.
void paintStrip(QPainter& painter, const MapScene& scene, const MapLayout& layout, const QRectF& plot);

/// The diagonal, the rows of pinned tokens, and rows, columns and frames of the pinned and the hovered cell.
void paintMarks(QPainter& painter, const MapScene& scene, const QRectF& plot);

} // namespace fovea::ui
