#pragma once
#include "ui/plot/HeadsPicture.h"
#include <memory>
#include <vector>

namespace fovea::ui {

/// The small maps of all heads, for HeadMetric::Picture. A layer's are made once and kept while the layer
/// lives; they hold places on the ramp, no colours: a byte a cell, queries downwards, 0 above the diagonal,
/// else 1 + its place.
class HeadImages {
public:
    /// Gives `scene` those of the layers that the snapshot's full run has read.
    void addTo(HeadsScene& scene, const Snapshot& snapshot);

private:
    struct Layer {
        std::weak_ptr<const LayerActivations> of;
        std::vector<QImage> heads;
    };
    std::vector<Layer> m_layers;
};

/// Draws one into `box`: each device pixel shows the strongest of the cells that it covers, so that a single
/// strong link is not lost where cells are smaller than pixels.
void paintHeadImage(QPainter& painter, const QImage& picture, const QRectF& box, const Theme& theme);

} // namespace fovea::ui
