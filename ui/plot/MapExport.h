#pragma once
#include "core/base/Result.h"
#include "core/engine/Snapshot.h"
#include "ui/plot/HeadsPicture.h"
#include "ui/plot/MapPicture.h"
#include <QSize>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace fovea::ui {

/// Options of a picture file of the map. By default: the whole map of the snapshot's visible head, arm A
/// beside arm B, in the light theme.
struct MapExportOptions {
    int layer = -1, head = -1;       ///< -1: the snapshot's visible ones
    std::vector<MapPane> quantities; ///< empty: arm A beside arm B
    bool logarithmic = true;
    Pooling pooling = Pooling::Max;
    bool keptOverlay = false;
    /// Heads, words or sentences as one; `layer` and `head` are then not used, and viewport, pins and what is
    /// left out count its cells. Null: one head by tokens.
    std::shared_ptr<const MapRecipe> recipe;
    std::shared_ptr<const Tokens> labels;      ///< one for each cell of the recipe; null: numbers only
    std::shared_ptr<const HiddenCells> hidden; ///< left out; null: nothing
    std::vector<float> strip;                  ///< MapScene::strip
    QString hiddenWords;                       ///< MapScene::hidden
    std::optional<MapViewport> viewport;       ///< empty: all of the text
    /// Logical pixels of one map under `viewport`: what is in sight in a plot of that size is in the picture.
    /// Empty: what is left of `size` when titles and axes have their room.
    std::optional<QSizeF> plot;
    Pair pinned;
    std::vector<int> pins; ///< pinned tokens
    QSize size{1200, 640}; ///< logical pixels of the maps, without heading, legend and provenance
    double scale = 1;      ///< PNG: device pixels per logical pixel, 1 to 4
    Theme theme = Theme::light();
    std::optional<float> differenceLimit; ///< limit of the colour scale; empty: a round number that includes
                                          ///< 98 % of the values shown
};

/// Writes the maps with heading (which says the recipe), legend, axis words and provenance; `path` ends in
/// .png, .svg or .pdf. In SVG and PDF text stays text, and up to 20,000 cells are vectors; more are an image
/// of 300 dpi under vector axes. Needs a QGuiApplication (any platform), no display. The file is written
/// completely or not at all. Callable from any thread, also while the window draws. Errors: BadValue (file
/// extension, scale, layer, head), Io. Cost: makeTile for the visible part; opens OpenMP regions.
[[nodiscard]] Result<> exportMap(const Snapshot& snapshot, const MapExportOptions& options,
                                 const std::string& path);

/// The same picture as an `svg` element, to stand inside an HTML file.
[[nodiscard]] Result<std::string> mapSvg(const Snapshot& snapshot, const MapExportOptions& options);
/// The HTML report (core/export/HtmlReport.h) with the maps of one head. Errors: those of exportMap and
/// reportHtml.
[[nodiscard]] Result<std::string> mapReport(const Snapshot& snapshot, int layer, int head);

inline constexpr std::size_t kMostVectorCells = 20'000;

/// Options of a picture file of the heads overview.
struct HeadsExportOptions {
    HeadMetric metric = HeadMetric::KeptMass;
    int layer = -1, head = -1; ///< framed cell
    double scale = 1;
    Theme theme = Theme::light();
};
[[nodiscard]] Result<> exportHeads(const Snapshot& snapshot, const HeadsExportOptions& options,
                                   const std::string& path);

/// Writes what `paint` draws as PNG, SVG or PDF, depending on the extension of `path`. Atomic. `paint` uses
/// logical coordinates.
[[nodiscard]] Result<> writePicture(const std::string& path, QSize size, double scale, const QString& title,
                                    const std::function<void(QPainter&, bool vector)>& paint);

/// The pictures of `analyze --out`: full, hybrid, difference and kept mask of the visible head, with arm A
/// under a policy also its map and the difference of the arms, the heads overview and the small maps of all
/// heads, as map-full.png ... in `folder`, which must exist. Returns their paths.
[[nodiscard]] Result<std::vector<std::string>> exportPictures(const Snapshot& snapshot,
                                                              const std::string& folder);

} // namespace fovea::ui
