#pragma once
#include "core/engine/HeadMetric.h"
#include "core/engine/Snapshot.h"
#include "ui/plot/Theme.h"
#include <QImage>
#include <QPainter>
#include <QString>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace fovea::ui {

/// A grid of layers x heads: rows are layers, 0 on top; columns heads, with a gap between key-value groups.
struct HeadsScene {
    int layers = 0, heads = 0, kvHeads = 1;
    std::vector<std::optional<double>> values; ///< [L*H]
    /// [L*H] under arm A's policy, for metrics that depend on the policy; empty: arm A is full attention.
    std::vector<std::optional<double>> against;
    /// [L*H] for HeadMetric::Picture (HeadImages.h); null: not known yet.
    std::vector<QImage> pictures;
    std::size_t pictureCell = 0; ///< tokens per side of a picture's cell
    std::vector<bool> full;      ///< [L] layers that the policy keeps full
    HeadMetric metric = HeadMetric::KeptMass;
    int selectedLayer = -1, selectedHead = -1;
    std::set<std::pair<int, int>> chosen; ///< (layer, head) framed thinly: what is looked at together
    bool old = false; ///< the values belong to an older policy; numbers are drawn in the secondary colour
    QString empty;    ///< sentence when there is nothing to show
    Theme theme;
    [[nodiscard]] const std::optional<double>& value(int layer, int head) const {
        return values[static_cast<std::size_t>(layer * heads + head)];
    }
    [[nodiscard]] const QImage* picture(int layer, int head) const {
        const auto at = static_cast<std::size_t>(layer * heads + head);
        return at < pictures.size() && !pictures[at].isNull() ? &pictures[at] : nullptr;
    }
    [[nodiscard]] bool known(int layer, int head) const {
        return value(layer, head).has_value() || picture(layer, head) != nullptr;
    }
    [[nodiscard]] int knownCount() const;
};
/// A scene of all values in the snapshot. Missing values are taken from `older` if it has the same text and
/// model.
[[nodiscard]] HeadsScene headsScene(const Snapshot& snapshot, const Snapshot* older, HeadMetric metric,
                                    const Theme& theme);

struct HeadsLayout {
    QRectF grid;   ///< all cells
    QRectF legend; ///< empty: the legend is not part of the picture
    /// Width 12, 24 or 48, height 8 to the width. Pictures: square, 16 to 96.
    double cellWidth = 12, cellHeight = 12;
    [[nodiscard]] QRectF cell(const HeadsScene& scene, int layer, int head) const;
};
/// Chooses the largest cells that fit `area`. Cells are at least 12 x 8 px, so the layout can be larger than
/// the area. Pictures are fitted to its width only. `legend`: room for the legend is kept below the grid.
[[nodiscard]] HeadsLayout layoutHeads(const HeadsScene& scene, const QRectF& area, bool legend = true);
inline constexpr int kHeadsLegendHeight = 44;
/// The smallest width at which nothing is cut off.
[[nodiscard]] double leastHeadsWidth(const HeadsScene& scene);
/// Cells outside the painter's clip region are skipped.
void paintHeads(QPainter& painter, const HeadsScene& scene, const HeadsLayout& layout);
/// The ramp with its ends and what it means: for a view whose grid scrolls, so that the legend does not.
void paintHeadsLegend(QPainter& painter, const HeadsScene& scene, const QRectF& area);

} // namespace fovea::ui
