#pragma once
#include "ui/plot/MapKey.h"
#include "ui/plot/MapScale.h"
#include "ui/plot/MapViewport.h"
#include <QImage>
#include <cstdint>
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

/// The native window that holds for all of these heads, for the legend: the largest of their layers; 0: one
/// of them is global.
[[nodiscard]] int nativeWindowOf(const ModelShape& shape, const std::vector<HeadAt>& heads);

/// What a map is of.
struct MapPane {
    MapPane(MapQuantity what, MapArm whose = MapArm::B) : quantity(what), arm(whose) {}
    MapQuantity quantity;
    MapArm arm;
    bool operator==(const MapPane&) const = default;
};

/// Cells that a map leaves out: [cells] 1 for hidden ones of each axis.
struct HiddenCells {
    std::vector<std::uint8_t> keys, queries;
};

/// The content of one pane, without its position.
struct MapLayer {
    int layer = 0, head = 0;
    MapQuantity quantity = MapQuantity::Full;
    MapArm arm = MapArm::B; ///< as in TileKey
    Pooling pooling = Pooling::Max;
    MapScale scale{ScaleKind::Log};
    bool keptOverlay = false; ///< hatch pairs that the arm's plan does not read, over any quantity
    /// A map that combines heads, words or sentences: `layer` and `head` are those of its first head. Null:
    /// one head, and a cell is a pair of tokens.
    std::shared_ptr<const MapRecipe> recipe;
    int tokens = 0;       ///< cells per side: T, or what the recipe makes of it
    bool causal = true;   ///< false: an encoder, which has pairs above the diagonal too
    int nativeWindow = 0; ///< of the layer, tokens; 0: it is global. For the legend
    /// For MapQuantity::Full: the level of the coarse picture of the run, which is shown while tiles are
    /// missing; -1: none.
    int pictureLevel = -1;
    /// [cells] 1 for queries that the router chose to read everything before them; their routed cells are
    /// drawn as query role. May be empty.
    std::vector<std::uint8_t> queryRole;
    /// Left out: their columns and rows are empty. A pixel over several cells shows the others; where one
    /// value pools several keys, it is left out with any of them. Null: none.
    std::shared_ptr<const HiddenCells> hidden;
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
[[nodiscard]] std::vector<MapKey> visibleTiles(const MapFrame& frame, const MapLayer& content);
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
