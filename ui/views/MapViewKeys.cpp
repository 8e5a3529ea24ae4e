#include "ui/views/HideBox.h"
#include "ui/views/MapTip.h"
#include "ui/views/MapView.h"
#include "ui/views/OtherMap.h"
#include "ui/views/RecipeBox.h"
#include <QKeyEvent>
#include <QLabel>
#include <QMenu>
#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

// What keys and the context menu do in the map view.
namespace fovea::ui {

void MapView::nextMode() {
    static constexpr std::array<MapQuantity, 4> kOrder{MapQuantity::Full, MapQuantity::Hybrid,
                                                       MapQuantity::Difference, MapQuantity::Kept};
    const int next = (static_cast<int>(m_mode) + 1) % 4;
    const bool canDiffer =
        whyNoDifference(m_shown, m_context.selection.layer(), !m_cells.recipe() && !m_hidden).isEmpty();
    MapQuantity mode = kOrder[static_cast<std::size_t>(next)];
    if (!canDiffer && mode == MapQuantity::Difference)
        mode = MapQuantity::Kept; // there is none
    switch (!canDiffer && arrangement() == Arrangement::Three ? Arrangement::Two : arrangement()) {
    case Arrangement::One:
        setMode(mode);
        break;
    case Arrangement::Two:
        setMode(mode == MapQuantity::Full ? MapQuantity::Hybrid : mode);
        break;
    case Arrangement::Three:
        setMode(m_mode == MapQuantity::Kept ? MapQuantity::Difference : MapQuantity::Kept);
        break;
    }
}

void MapView::moveSelection(int queries, int keys) {
    const int count = m_canvas->scene().count;
    if (count == 0)
        return;
    Pair pair = m_cells.toCells(m_context.selection.pinnedPair());
    if (!pair.valid()) {
        pair = m_cells.toCells(m_context.selection.hoveredPair());
        const int query = m_cells.cellOf(m_context.selection.query());
        if (!pair.valid())
            pair = {query >= 0 ? query : count - 1, 0};
    } else {
        pair.query = std::clamp(pair.query + queries, 0, count - 1);
        pair.key = std::clamp(pair.key + keys, 0, count - 1);
    }
    pinCell(pair);
    m_canvas->reveal(pair);
}

void MapView::stepCell(int layers, int heads) {
    if (!m_shown || !m_shown->model)
        return;
    const ModelShape& shape = m_shown->model->shape;
    m_context.selection.setCell(std::clamp(m_context.selection.layer() + layers, 0, shape.layers - 1),
                                std::clamp(m_context.selection.head() + heads, 0, shape.heads - 1));
}

void MapView::showMenu(Pair cells, const QPoint& global) {
    const Pair pair = m_cells.toTokens(cells);
    auto* menu = new QMenu(this);
    menu->setObjectName(QStringLiteral("map.menu"));
    menu->setAttribute(Qt::WA_DeleteOnClose);
    if (pair.valid())
        menu->addAction(tr("Pin query %1 and key %2").arg(pair.query).arg(pair.key), this,
                        [this, cells] { pinCell(cells); });
    if (m_context.selection.block().valid())
        menu->addAction(tr("Leave out the chosen keys, or show them\tH"), this, &MapView::hideChosen);
    menu->addAction(tr("Show all of the text\tF F"), m_canvas, &MapCanvas::fitAll);
    menu->addSeparator();
    menu->addAction(tr("Save this picture\tCtrl+E"), this, &MapView::exportView);
    menu->addAction(tr("Save the numbers\tCtrl+Shift+E"), this, &MapView::exportNumbers);
    menu->popup(global);
}

bool MapView::event(QEvent* event) {
    if (event->type() == QEvent::LayoutRequest)
        arrangeTools(); // the controls know their sizes only with their style
    // While a picture has the focus, the keys of the view have precedence over those of the window.
    if (event->type() == QEvent::ShortcutOverride) {
        const auto* key = static_cast<QKeyEvent*>(event);
        const bool plain = (key->modifiers() & ~(Qt::ShiftModifier | Qt::KeypadModifier)) == Qt::NoModifier;
        static constexpr std::string_view kLetters = "MKPLFXCGHI[]";
        const bool letter =
            key->key() < 0x80 && kLetters.find(static_cast<char>(key->key())) != std::string_view::npos;
        const bool move = key->key() == Qt::Key_PageUp || key->key() == Qt::Key_PageDown ||
                          key->key() == Qt::Key_Home || key->key() == Qt::Key_End ||
                          (key->key() >= Qt::Key_Left && key->key() <= Qt::Key_Down);
        if (plain && (letter || move) && (m_canvas->hasFocus() || m_other->canvas().hasFocus())) {
            event->accept();
            return true;
        }
    }
    return QWidget::event(event);
}

void MapView::keyReleaseEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_C && !event->isAutoRepeat())
        lookAtA(false);
    QWidget::keyReleaseEvent(event);
}

void MapView::keyPressEvent(QKeyEvent* event) {
    const bool control = event->modifiers() == Qt::ControlModifier;
    const bool plain = (event->modifiers() & ~Qt::KeypadModifier) == Qt::NoModifier;
    const bool fit = event->key() == Qt::Key_F && plain;
    const bool again = std::exchange(m_lastKeyWasFit, fit);
    if (fit) {
        if (again || !m_context.selection.pinnedPair().valid())
            m_canvas->fitAll();
        else
            m_canvas->fitPair(m_cells.toCells(m_context.selection.pinnedPair()));
        return;
    }
    if (control && event->key() == Qt::Key_E)
        return exportView();
    if (!plain && !(control && (event->key() == Qt::Key_PageUp || event->key() == Qt::Key_PageDown)))
        return QWidget::keyPressEvent(event);
    switch (event->key()) {
    case Qt::Key_M:
        return nextMode();
    case Qt::Key_X:
        if (!event->isAutoRepeat())
            emit exchangeWanted();
        return;
    case Qt::Key_C:
        if (!event->isAutoRepeat())
            lookAtA(true);
        return;
    case Qt::Key_K:
        return setKeptOverlay(!m_keptOverlay);
    case Qt::Key_P:
        return setPooling(m_pooling == Pooling::Max ? Pooling::Mass : Pooling::Max);
    case Qt::Key_L:
        return setLogarithmic(!m_log);
    case Qt::Key_G:
        return m_recipes->nextUnit();
    case Qt::Key_I:
        return m_hide->nextSinks();
    case Qt::Key_H:
        return hideChosen();
    case Qt::Key_Left:
        return moveSelection(0, -1);
    case Qt::Key_Right:
        return moveSelection(0, 1);
    case Qt::Key_Up:
        return moveSelection(-1, 0);
    case Qt::Key_Down:
        return moveSelection(1, 0);
    case Qt::Key_Home:
        return moveSelection(-m_canvas->scene().count, 0);
    case Qt::Key_End:
        return moveSelection(m_canvas->scene().count, 0);
    case Qt::Key_PageUp:
        return control ? stepCell(0, -1) : stepCell(-1, 0);
    case Qt::Key_PageDown:
        return control ? stepCell(0, 1) : stepCell(1, 0);
    case Qt::Key_BracketLeft:
        return stepCell(0, -1);
    case Qt::Key_BracketRight:
        return stepCell(0, 1);
    case Qt::Key_Return:
    case Qt::Key_Enter:
        if (m_canvas->scene().hovered.valid())
            pinCell(m_canvas->scene().hovered);
        return;
    case Qt::Key_Escape:
        if (m_tip->isVisible())
            m_tip->hide();
        else if (!m_context.selection.clearOneLevel())
            QWidget::keyPressEvent(event);
        return;
    default:
        QWidget::keyPressEvent(event);
    }
}

} // namespace fovea::ui
