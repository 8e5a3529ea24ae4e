#include "ui/plot/MapViewport.h"
#include <algorithm>
#include <cmath>

namespace fovea::ui {

Pair MapViewport::pairAt(QPointF inPlot, int tokens) const {
    const double k = std::floor(key + inPlot.x() / cell);
    const double q = std::floor(query + inPlot.y() / cell);
    if (k < 0 || q < 0 || k >= tokens || q >= tokens)
        return {};
    return {static_cast<int>(q), static_cast<int>(k)};
}

MapViewport MapViewport::zoomed(double factor, QPointF inPlot, int tokens, QSizeF plot) const {
    // Never smaller than the whole map with a margin of nothing, never larger than one readable number per
    // cell, unless the whole map is larger.
    const double whole = fitAll(tokens, plot).cell;
    const double size = std::clamp(cell * factor, std::min(whole, kMaxCell), std::max(whole, kMaxCell));
    const double keyAt = key + inPlot.x() / cell;
    const double queryAt = query + inPlot.y() / cell;
    return MapViewport{keyAt - inPlot.x() / size, queryAt - inPlot.y() / size, size}.clamped(tokens, plot);
}

MapViewport MapViewport::clamped(int tokens, QSizeF plot) const {
    const auto clampAxis = [&](double origin, double extent) {
        return std::clamp(origin, 0.0, std::max(0.0, tokens - extent / cell));
    };
    return {clampAxis(key, plot.width()), clampAxis(query, plot.height()), cell};
}

MapViewport MapViewport::fitAll(int tokens, QSizeF plot) {
    // A short text fills the plot, however large its cells become.
    const double whole = std::min(plot.width(), plot.height()) / std::max(1, tokens);
    if (whole > kMaxCell)
        return {0, 0, whole};
    return fit(0, tokens, 0, tokens, plot).clamped(tokens, plot);
}

MapViewport MapViewport::fit(double key0, double key1, double query0, double query1, QSizeF plot) {
    MapViewport view;
    const double keys = std::max(1.0, key1 - key0), queries = std::max(1.0, query1 - query0);
    view.cell = std::clamp(std::min(plot.width() / keys, plot.height() / queries), 1e-6, kMaxCell);
    view.key = key0 - (plot.width() / view.cell - keys) / 2;
    view.query = query0 - (plot.height() / view.cell - queries) / 2;
    return view;
}

MapFrame MapFrame::of(const MapViewport& view, QSizeF plot, double ratio) {
    MapFrame frame;
    frame.width = static_cast<int>(std::lround(plot.width() * ratio));
    frame.height = static_cast<int>(std::lround(plot.height() * ratio));
    frame.cell = view.cell * ratio;
    frame.originX = std::llround(view.key * frame.cell);
    frame.originY = std::llround(view.query * frame.cell);
    frame.ratio = ratio;
    return frame;
}

int MapFrame::level() const {
    if (cell >= 1)
        return 0;
    return static_cast<int>(std::floor(-std::log2(cell)));
}

PixelSpan pixelSpan(std::int64_t pixel, double size) {
    const auto x = static_cast<double>(pixel);
    if (size >= 1) {
        const auto at = static_cast<std::int64_t>(std::floor(x / size));
        return {at, at + 1};
    }
    return {static_cast<std::int64_t>(std::ceil(x / size)),
            static_cast<std::int64_t>(std::ceil((x + 1) / size))};
}

} // namespace fovea::ui
