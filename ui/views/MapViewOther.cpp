#include "core/policy/PolicyTitle.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include "ui/views/HideBox.h"
#include "ui/views/MapView.h"
#include "ui/views/OtherMap.h"
#include <QButtonGroup>
#include <QLabel>
#include <QToolButton>

// Arm A with a text or a model of its own: its map stands beside arm B's, or takes its place.
namespace fovea::ui {

bool MapView::hasOther() const {
    return m_shown && m_shown->request && m_shown->request->other;
}

bool MapView::showsOnlyOther() const {
    return hasOther() && arrangement() == Arrangement::One && (m_mode == MapQuantity::Full || m_lookAtA);
}

MapCanvas& MapView::frontCanvas() const {
    return showsOnlyOther() ? m_other->canvas() : *m_canvas;
}

QSize MapView::mapsSize() const {
    if (m_other->isHidden())
        return m_canvas->size();
    const QSize other = m_other->canvas().size();
    return m_canvas->isHidden() ? other : QSize(m_canvas->width() + other.width(), m_canvas->height());
}

void MapView::showOther() {
    const bool has = hasOther(), only = showsOnlyOther();
    const bool both = has && arrangement() != Arrangement::One;
    const bool focused = m_canvas->hasFocus() || m_other->canvas().hasFocus();
    if (has)
        m_other->show(m_shown, {m_mode == MapQuantity::Kept ? MapQuantity::Kept : MapQuantity::Hybrid,
                                m_pooling, m_log, m_keptOverlay, !m_cells.recipe() && !m_hidden});
    const std::vector<MapLayer>& panes = m_canvas->scene().panes;
    const bool differs = panes.size() == 1 && panes.front().quantity == MapQuantity::ArmDifference;
    if (both && m_shown->tokens)
        m_ownTitle->setText((differs ? tr("B \u2212 A: this %1 minus A's, T %2; both under %3")
                                     : tr("B: this %1, T %2; both under %3"))
                                .arg(m_shown->request->other->modelPath.empty() ? tr("text") : tr("model"),
                                     grouped(m_shown->tokens->size()),
                                     QString::fromStdString(policyTitle(m_shown->request->policy))));
    m_ownTitle->setVisible(both);
    // The next one is in sight before the other goes, so that the focus stays in the maps.
    (only ? static_cast<QWidget*>(m_other) : m_canvas)->setVisible(true);
    if (focused && !both)
        (only ? &m_other->canvas() : m_canvas)->setFocus();
    m_other->setVisible(both || only);
    m_canvas->setVisible(!only);
    const QString why = whyNoDifference(m_shown, m_context.selection.layer(), !m_cells.recipe() && !m_hidden);
    m_modes->button(static_cast<int>(MapQuantity::Difference))
        ->setToolTip(!has            ? tr("the difference of the two, pair by pair (M goes on)")
                     : why.isEmpty() ? tr("B's model minus A's, pair by pair (M goes on)")
                                     : why);
}

} // namespace fovea::ui
