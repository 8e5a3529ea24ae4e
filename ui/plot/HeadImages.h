#pragma once
#include "ui/plot/HeadsPicture.h"
#include <memory>
#include <vector>

namespace fovea::ui {

/// The small attention maps of all heads, for HeadMetric::Picture. Those of a layer are made once and kept as
/// long as the layer exists. They store no colours but one byte per cell, rows being queries: 0 above the
/// diagonal of a causal model, otherwise 1 + the position on the colour ramp.
class HeadImages {
public:
    /// Adds to `scene` the maps of the layers that the snapshot's full run has finished.
    void addTo(HeadsScene& scene, const Snapshot& snapshot);

private:
    struct Layer {
        std::weak_ptr<const AttentionCells> of;
        std::vector<QImage> heads;
    };
    std::vector<Layer> m_layers;
};

/// Draws one map into `box`. Each device pixel shows the strongest cell that it covers, so that a single
/// strong weight stays visible when cells are smaller than pixels.
void paintHeadImage(QPainter& painter, const QImage& picture, const QRectF& box, const Theme& theme);

} // namespace fovea::ui
