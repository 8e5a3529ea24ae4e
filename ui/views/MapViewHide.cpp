#include "ui/plot/NumberText.h"
#include "ui/plot/SameOwner.h"
#include "ui/views/HideBox.h"
#include "ui/views/MapView.h"
#include <algorithm>
#include <cmath>

// What the map view leaves out, and what it says of it.
namespace fovea::ui {

void MapView::takeHidden(bool readable) {
    const std::shared_ptr<const HiddenCells> before = m_hidden;
    m_hidden = readable && hasLayers() ? m_hide->cells(*m_shown, m_cells) : nullptr;
    if (m_hidden && before && before->keys == m_hidden->keys && before->queries == m_hidden->queries)
        m_hidden = before; // the same object, as long as nothing changes
    if (!m_hidden)
        return;
    const HeadAt at{m_context.selection.layer(), shownHead()};
    const auto answers = [&](const std::shared_ptr<const HiddenMass>& mass) {
        return mass && mass->cells == m_hidden && mass->recipe == m_cells.recipe() &&
               (m_cells.recipe() || mass->head == at) && sameOwner(mass->from, std::weak_ptr(m_shown));
    };
    if (!answers(m_mass))
        m_mass.reset();
    if (m_mass || answers(m_massAsked))
        return;
    auto asked = std::make_shared<HiddenMass>();
    asked->cells = m_hidden;
    asked->recipe = m_cells.recipe();
    asked->head = at;
    asked->from = m_shown;
    m_massAsked = asked;
    using Mass = std::shared_ptr<const HiddenMass>;
    m_context.runs.fetch<Mass>(
        this, {"map.hidden", Urgency::Long},
        [snapshot = m_shown, at, recipe = m_cells.recipe(), cells = m_hidden](const WorkContext& work) {
            return makeHiddenMass(snapshot, at, recipe, cells, work);
        },
        [this, asked](const Result<Mass>& mass) {
            if (m_massAsked != asked)
                return; // something else is left out by now
            if (mass) {
                m_mass = *mass;
                rebuild();
            } else if (mass.error().code == ErrorCode::Cancelled) {
                m_massAsked.reset();
            }
        });
}

void MapView::showHidden(MapScene& scene) {
    if (!m_hidden)
        return;
    scene.hidden = m_hide->words(*m_shown);
    if (!m_mass)
        return;
    const auto percent = [](double share) { return tr("%1 %").arg(threeDigits(100 * share)); };
    scene.hidden += tr(": %1 of the mass").arg(percent(m_mass->meanFull));
    if (m_mass->meanHybrid)
        scene.hidden += tr(" (B %1)").arg(percent(*m_mass->meanHybrid));
    const int query = m_context.selection.query(), row = m_cells.cellOf(query);
    if (row >= 0 && static_cast<std::size_t>(row) < m_mass->full.size())
        scene.hidden += tr(", %1 of #%2")
                            .arg(percent(static_cast<double>(m_mass->full[static_cast<std::size_t>(row)])))
                            .arg(query);
    if (m_hide->sinks() == HideBox::Sinks::Strip)
        scene.strip = m_mode == MapQuantity::Hybrid && arrangement() == Arrangement::One ? m_mass->hybrid
                                                                                         : m_mass->full;
}

void MapView::explainHead() {
    if (!hasLayer(m_context.selection.layer()))
        return;
    m_context.runs.fetch<QString>(
        this, {"map.explain", Urgency::Long},
        [snapshot = m_shown, layer = m_context.selection.layer(),
         head = shownHead()](const WorkContext& work) { return explainSinks(*snapshot, layer, head, work); },
        [this](const Result<QString>& text) {
            if (text)
                emit message(*text);
        });
}

void MapView::hideChosen() {
    if (!m_shown || !m_shown->tokens)
        return;
    const SelectionModel::Block block = m_context.selection.block();
    m_hide->toggle(block.valid() ? RowRange{static_cast<std::size_t>(block.keyFirst),
                                            static_cast<std::size_t>(block.keyLast)}
                                 : RowRange{},
                   *m_shown);
}

} // namespace fovea::ui
