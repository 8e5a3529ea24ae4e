#pragma once
#include "core/measure/MapTile.h"
#include "ui/plot/MapScale.h"
#include "ui/plot/MapViewport.h"
#include <QImage>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace fovea::ui {

/// What is drawn in a pixel or cell: the four states of the map, the reasons of the kept mask, and two that
/// say that nothing can be said. Of several, the least wins.
enum class CellLook : std::uint8_t {
    Local,
    Always,
    RoutedQuery,
    RoutedKey,
    Far,
    Attended, ///< read, reason not distinguished
    Skipped,
    Unknown, ///< not computed yet
    Impossible,
    Outside, ///< beyond the text
};

/// Finds a tile in any store; null when it is not there.
using TileLookup = std::function<std::shared_ptr<const MapTile>(const TileKey&)>;

/// One pane's content, without its place.
struct MapLayer {
    int layer = 0, head = 0;
    MapQuantity quantity = MapQuantity::Full;
    Pooling pooling = Pooling::Max;
    MapScale scale{ScaleKind::Log};
    bool keptOverlay = false; ///< not-routed lines of the plan over any quantity
    int tokens = 0;
    /// Of MapQuantity::Full: the level at which the run's own picture of the head stands in for missing
    /// tiles; -1: none.
    int pictureLevel = -1;
    /// [T] 1: the token reads everything before it by the router's choice; its routed cells have the query
    /// role. May be empty.
    std::vector<std::uint8_t> queryRole;
    float nearZero = kLogLow; ///< attended cells below it carry a dot
};

/// Values and looks of a rectangle of pixels (or cells, when one pixel is one cell).
struct MapSamples {
    int width = 0, height = 0;
    std::vector<float> value; ///< of Kept: share of the causal pairs that are read exactly
    std::vector<float> far;   ///< of Kept: share that only a far field stands for; else 0
    std::vector<CellLook> look;
    [[nodiscard]] std::size_t at(int x, int y) const {
        return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
    }
};

/// The tiles that a frame shows, nearest its middle first; those wholly above the diagonal are left out.
[[nodiscard]] std::vector<TileKey> visibleTiles(const MapFrame& frame, const MapLayer& content);
/// One look and value per cell for queries [first,..) and keys: what the picture is made of at one cell per
/// pixel.
[[nodiscard]] MapSamples sampleCells(const MapLayer& content, std::int64_t query, std::int64_t queries,
                                     std::int64_t key, std::int64_t keys, const TileLookup& tiles);

/// The picture of one plot in device pixels, ARGB32_Premultiplied, opaque. Gathers the viewport's values
/// only; a missing tile is filled from a coarser one of the cache. Cost: about 4 ns a pixel.
[[nodiscard]] QImage rasterMap(const MapFrame& frame, const MapLayer& content, const Theme& theme,
                               const TileLookup& tiles);

/// Colour of a cell before any texture. `value` and `far` as in MapSamples: the kept mask shows the colour of
/// the strongest reason as strong as the share of pairs that are read, so that few read pairs look few.
[[nodiscard]] QRgb cellColor(const MapLayer& content, const Theme& theme, CellLook look, float value,
                             float far = 0);
/// `share` of `over` on `ground`, 0..1.
[[nodiscard]] QRgb blended(QRgb ground, QRgb over, float share);
/// The colour for text and texture on top of `background`: black or white, whichever is stronger.
[[nodiscard]] QColor onColor(QRgb background);

/// Textures, logical pixels: distance of the lines and of the dots where cells are small.
inline constexpr int kHatchPeriod = 7;
inline constexpr int kDotPeriod = 8;
inline constexpr double kDotFromCell = 6; ///< from this cell size on, one dot per cell

} // namespace fovea::ui
