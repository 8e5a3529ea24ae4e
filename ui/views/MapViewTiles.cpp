#include "ui/views/MapView.h"
#include <algorithm>

// Which tiles the map view asks for, and what it tells the engine of what is in sight.
namespace fovea::ui {

void MapView::wantTiles() {
    std::vector<MapKey> keys;
    if (m_canvas->scene().panes.empty()) {
        m_tiles->want({});
        return;
    }
    const MapFrame frame = m_canvas->frame();
    std::vector<std::vector<MapKey>> lists;
    for (const MapLayer& pane : m_canvas->scene().panes) {
        lists.push_back(visibleTiles(frame, pane));
        if (pane.keptOverlay && pane.quantity != MapQuantity::Kept) {
            MapLayer mask = pane;
            mask.quantity = MapQuantity::Kept;
            lists.push_back(visibleTiles(frame, mask));
        }
    }
    // Panes fill side by side, from the middle outwards.
    for (std::size_t i = 0;; ++i) {
        bool any = false;
        for (const auto& list : lists)
            if (i < list.size()) {
                keys.push_back(list[i]);
                any = true;
            }
        if (!any)
            break;
    }
    // Last, one tile per pane for the whole text, shown for parts that a pan or zoom makes visible. Not while
    // a slider moves: each of its values would need another one.
    for (const MapLayer& pane : m_canvas->scene().panes) {
        if (m_context.runs.dragging())
            break;
        MapKey whole(TileKey{pane.layer, pane.head, pane.quantity, pane.pooling, 0, 0, 0, pane.arm},
                     pane.recipe);
        while ((kTile << whole.level) < static_cast<std::size_t>(pane.tokens))
            ++whole.level;
        if (std::find(keys.begin(), keys.end(), whole) == keys.end())
            keys.push_back(whole);
    }
    m_tiles->want(std::move(keys));
}

void MapView::tileArrived() {
    const float before = m_limit;
    updateLimit();
    if (m_limit != before)
        rebuild();
    else
        m_canvas->invalidate();
    if (m_cells.recipe()) { // it has no picture of the run, only these tiles
        m_minimapIsMade = false;
        showMinimap();
    }
    showState();
}

void MapView::updateLimit() {
    const std::pair cell(HeadAt{m_context.selection.layer(), m_context.selection.head()}, m_cells.recipe());
    if (cell != m_limitCell) {
        m_limitCell = cell;
        m_limit = MapScale::niceLimit(0);
    }
    // Only grows, and only by what is in sight: colours do not flicker while panning or dragging a slider.
    std::vector<float> differences;
    for (const MapLayer& pane : m_canvas->scene().panes) {
        if (!isDifference(pane.quantity))
            continue;
        const std::vector<MapKey> keys = visibleTiles(m_canvas->frame(), pane);
        const std::size_t stride = std::max<std::size_t>(1, keys.size() / 2); // a sample is enough, and quick
        for (const MapKey& key : keys)
            if (const auto tile = m_tiles->find(key).tile)
                for (std::size_t i = 0; i < tile->value.size(); i += stride)
                    differences.push_back(tile->value[i]);
    }
    m_limit = std::max(m_limit, MapScale::niceLimit(MapScale::usualLargest(std::move(differences))));
}

void MapView::tellVisible() {
    VisibleRect visible = m_context.requests.request().visible;
    visible.layer = m_context.selection.layer();
    visible.head = m_context.selection.head();
    if (m_canvas->scene().count > 0) {
        visible.queries = m_cells.tokensOf(m_canvas->shownQueries());
        visible.keys = m_cells.tokensOf(m_canvas->shownKeys());
    }
    m_context.requests.setVisible(visible);
}

} // namespace fovea::ui
