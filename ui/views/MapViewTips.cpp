#include "ui/plot/MapFacts.h"
#include "ui/plot/RecipeFacts.h"
#include "ui/views/MapView.h"
#include "ui/views/RecipeBox.h"
#include <QLabel>
#include <QScreen>
#include <algorithm>

// What the map view says of the cell under the pointer.
namespace fovea::ui {

void MapView::startTip(Pair pair) {
    if (pair == m_tipPair && m_tip->isVisible())
        return;
    showTip({});
    m_tipPair = pair;
    m_tipAt = m_canvas->pointer();
    if (pair.valid())
        m_tipTimer.start();
    else
        m_tipTimer.stop();
}

void MapView::fetchTip() {
    if (!hasLayers() || !m_tipPair.valid())
        return;
    if (m_cells.recipe())
        return fetchRecipeTip();
    const SnapshotPtr snapshot = m_shown;
    const int layer = m_context.selection.layer(), head = shownHead();
    const Pair pair = m_tipPair;
    const auto block = m_canvas->pools() ? m_canvas->blockAt(m_tipAt) : std::nullopt;
    MapPane pane = MapQuantity::Full;
    if (block)
        pane = {m_canvas->scene().panes[block->pane].quantity, m_canvas->scene().panes[block->pane].arm};
    m_context.runs.fetch<QString>(
        this, {"map.tip"},
        [=](const WorkContext&) -> Result<QString> {
            if (block) {
                const auto facts = blockFacts(*snapshot, layer, head, pane, block->queries, block->keys);
                return facts ? blockText(*facts, pane.quantity) : QString();
            }
            const auto facts = pairFacts(*snapshot, layer, head, pair.query, pair.key);
            return facts ? pairText(*facts, *snapshot->tokens, layer, head) : QString();
        },
        [this, pair](const Result<QString>& text) {
            if (text && !text->isEmpty() && pair == m_tipPair && pair == m_context.selection.hoveredPair())
                showTip(*text);
        });
}

void MapView::fetchRecipeTip() {
    const Pair cell = m_tipPair;
    if (cell.query >= m_cells.cells() || cell.key >= m_cells.cells())
        return; // it was hovered when cells were smaller
    const auto block = m_canvas->pools() ? m_canvas->blockAt(m_tipAt) : std::nullopt;
    const auto at = [](int i) {
        return RowRange{static_cast<std::size_t>(i), static_cast<std::size_t>(i) + 1};
    };
    const RowRange queries = block ? block->queries : at(cell.query),
                   keys = block ? block->keys : at(cell.key);
    m_context.runs.fetch<QString>(
        this, {"map.tip"},
        [snapshot = m_shown, recipe = m_cells.recipe(), labels = m_recipes->labels(), queries,
         keys](const WorkContext& work) -> Result<QString> {
            const Result<RecipeFacts> facts = recipeFacts(*snapshot, *recipe, queries, keys, work);
            FOVEA_TRY(facts);
            return recipeText(*facts, *recipe, *labels);
        },
        [this, cell](const Result<QString>& text) {
            if (text && cell == m_tipPair && m_canvas->scene().hovered == cell)
                showTip(*text);
        });
}

void MapView::showTip(const QString& text) {
    m_tip->setText(text);
    if (text.isEmpty() || !isVisible()) {
        m_tip->hide();
        return;
    }
    m_tip->setFont(Theme::mono());
    m_tip->setPalette(Theme::current().palette());
    m_tip->adjustSize();
    QPoint at = m_canvas->mapToGlobal(m_canvas->cellCentre(m_tipPair, m_canvas->paneAt(m_tipAt)).toPoint()) +
                QPoint(16, 20);
    if (const QScreen* display = screen()) {
        const QRect space = display->availableGeometry();
        at.setX(std::clamp(at.x(), space.left(), std::max(space.left(), space.right() - m_tip->width())));
        if (at.y() + m_tip->height() > space.bottom())
            at.setY(at.y() - m_tip->height() - 40);
    }
    m_tip->move(at);
    m_tip->show();
}

} // namespace fovea::ui
