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

/// What a pixel or cell shows: one of the four states of the map, a reason (for the kept mask), or that
/// nothing is known. If a pixel covers several, the first in this list is drawn.
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

/// Returns a tile, or null if it is not available.
using TileLookup = std::function<std::shared_ptr<const MapTile>(const TileKey&)>;

/// What a map is of.
struct MapPane {
    MapPane(MapQuantity what, MapArm whose = MapArm::B) : quantity(what), arm(whose) {}
    MapQuantity quantity;
    MapArm arm;
    bool operator==(const MapPane&) const = default;
};

/// The content of one pane, without its position.
struct MapLayer {
    int layer = 0, head = 0;
    MapQuantity quantity = MapQuantity::Full;
    MapArm arm = MapArm::B; ///< as in TileKey
    Pooling pooling = Pooling::Max;
    MapScale scale{ScaleKind::Log};
    bool keptOverlay = false; ///< hatch pairs that the arm's plan does not read, over any quantity
    int tokens = 0;
    bool causal = true;   ///< false: an encoder, which has pairs above the diagonal too
    int nativeWindow = 0; ///< of the layer, tokens; 0: it is global. For the legend
    /// For MapQuantity::Full: the level of the coarse picture of the run, which is shown while tiles are
    /// missing; -1: none.
    int pictureLevel = -1;
    /// [T] 1 for tokens that the router chose to read everything before them; their routed cells are drawn as
    /// query role. May be empty.
    std::vector<std::uint8_t> queryRole;
    float nearZero = kLogLow; ///< attended cells below it are drawn with a dot
};

/// Values and looks of a rectangle of pixels, or of cells when one pixel is one cell.
struct MapSamples {
    int width = 0, height = 0;
    std::vector<float> value; ///< of Kept: share of the model's pairs that are read exactly
    std::vector<float> far;   ///< of Kept: share that only a far field stands for; else 0
    std::vector<CellLook> look;
    [[nodiscard]] std::size_t at(int x, int y) const {
        return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
    }
};

/// The tiles that a frame shows, those nearest to its centre first. Tiles entirely above the diagonal are
/// omitted where the model is causal.
[[nodiscard]] std::vector<TileKey> visibleTiles(const MapFrame& frame, const MapLayer& content);
/// One look and value per cell of a rectangle of queries and keys: the content of a picture with one cell per
/// pixel.
[[nodiscard]] MapSamples sampleCells(const MapLayer& content, std::int64_t query, std::int64_t queries,
                                     std::int64_t key, std::int64_t keys, const TileLookup& tiles);

/// The picture of one plot in device pixels, ARGB32_Premultiplied, opaque. Reads only the values in the
/// viewport. A missing tile is replaced by a coarser one if available. Cost: about 4 ns per pixel.
[[nodiscard]] QImage rasterMap(const MapFrame& frame, const MapLayer& content, const Theme& theme,
                               const TileLookup& tiles);

/// Colour of a cell before any texture. `value` and `far` as in MapSamples: the kept mask shows the colour of
/// the strongest reason as strong as the share of pairs that are read, so that few read pairs look few.
[[nodiscard]] QRgb cellColor(const MapLayer& content, const Theme& theme, CellLook look, float value,
                             float far = 0);
/// `share` of `over` on `ground`, 0..1.
[[nodiscard]] QRgb blended(QRgb ground, QRgb over, float share);
/// The colour of text and texture on `background`: black or white, whichever has more contrast.
[[nodiscard]] QColor onColor(QRgb background);

/// Period of the textures in logical pixels: distance of hatch lines, and of dots when cells are small.
inline constexpr int kHatchPeriod = 7;
inline constexpr int kDotPeriod = 8;
inline constexpr double kDotFromCell = 6; ///< from this cell size on, one dot per cell

} // namespace fovea::ui
