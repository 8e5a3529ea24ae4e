#pragma once
#include "ui/run/SelectionModel.h"
#include <QPointF>
#include <QRectF>
#include <QSizeF>
#include <cstdint>

namespace fovea::ui {

using Pair = SelectionModel::Pair;

/// The part of a T x T map that a plot shows. Rows are queries (0 at the top), columns are keys (0 at the
/// left), cells are square. A plain value in logical pixels; all panes of a view share one.
struct MapViewport {
    double key =
        0; ///< map coordinate, in cells, of the plot's left edge; may be negative when the map is small
    double query = 0; ///< of its top edge
    double cell = 1;  ///< logical pixels per cell
    bool operator==(const MapViewport&) const = default;

    [[nodiscard]] QPointF toPlot(double keyAt, double queryAt) const {
        return {(keyAt - key) * cell, (queryAt - query) * cell};
    }
    /// The cell under a point of the plot; invalid outside a text of `tokens` (impossible cells are valid
    /// pairs).
    [[nodiscard]] Pair pairAt(QPointF inPlot, int tokens) const;
    /// Scales by `factor` so that what lies under `inPlot` stays there.
    [[nodiscard]] MapViewport zoomed(double factor, QPointF inPlot, int tokens, QSizeF plot) const;
    [[nodiscard]] MapViewport moved(double dx, double dy) const {
        return {key - dx / cell, query - dy / cell, cell};
    }
    /// Keeps the map in the plot: no empty space is shown if the map is larger than the plot; a smaller map
    /// stays at the top left.
    [[nodiscard]] MapViewport clamped(int tokens, QSizeF plot) const;

    [[nodiscard]] static MapViewport fitAll(int tokens, QSizeF plot);
    /// A viewport that shows all of the cells [key0, key1) x [query0, query1).
    [[nodiscard]] static MapViewport fit(double key0, double key1, double query0, double query1, QSizeF plot);

    static constexpr double kMaxCell = 64;
};

/// The same in device pixels, where the picture is made: cell c covers the pixels x with floor((x + originX)
/// / cell) == c.
struct MapFrame {
    int width = 0, height = 0; ///< of the plot
    std::int64_t originX = 0, originY = 0;
    double cell = 1;  ///< device pixels per cell
    double ratio = 1; ///< device pixels per logical pixel, for textures
    bool operator==(const MapFrame&) const = default;

    [[nodiscard]] static MapFrame of(const MapViewport& view, QSizeF plot, double ratio);
    /// Tiles of this level have at least half a pixel and, where there is a choice, at most one pixel per
    /// value.
    [[nodiscard]] int level() const;
};

/// First (cell, value) index of pixel `pixel` and one past its last, when one index is `size` pixels wide:
/// magnified pixels hold one, reduced ones those that begin in them, so that every value belongs to exactly
/// one pixel.
struct PixelSpan {
    std::int64_t first = 0, last = 0;
};
[[nodiscard]] PixelSpan pixelSpan(std::int64_t pixel, double size);

} // namespace fovea::ui
