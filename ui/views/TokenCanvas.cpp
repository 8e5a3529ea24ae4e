#include "ui/views/TokenCanvas.h"
#include "ui/plot/Theme.h"
#include "ui/views/TokenMarks.h"
#include <QFontMetricsF>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QScrollBar>
#include <QTextDocument>
#include <QToolTip>
#include <QWheelEvent>
#include <cmath>
#include <unordered_map>

namespace fovea::ui {

namespace {

constexpr double kMargin = 8;

} // namespace

TokenCanvas::TokenCanvas(Shape shape, SelectionModel& selection, QWidget* parent)
    : QAbstractScrollArea(parent), m_shape(shape), m_selection(selection) {
    setFrameShape(QFrame::NoFrame);
    setFocusPolicy(Qt::StrongFocus);
    viewport()->setMouseTracking(true);
    viewport()->setCursor(Qt::PointingHandCursor);
    const bool strip = shape == Shape::Strip;
    setVerticalScrollBarPolicy(strip ? Qt::ScrollBarAlwaysOff : Qt::ScrollBarAsNeeded);
    setHorizontalScrollBarPolicy(strip ? Qt::ScrollBarAsNeeded : Qt::ScrollBarAlwaysOff);
    const auto repaint = [this] { viewport()->update(); };
    connect(&m_selection, &SelectionModel::pinsChanged, this, repaint);
    connect(&m_selection, &SelectionModel::hoverChanged, this, repaint);
    connect(&m_selection, &SelectionModel::pairChanged, this, repaint);
    connect(&m_selection, &SelectionModel::blockChanged, this, repaint);
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, &TokenCanvas::rebuild);
}

void TokenCanvas::setCells(std::vector<TokenCell> cells, bool live) {
    m_live = live;
    if (cells != m_cells) {
        m_cells = std::move(cells);
        m_tint.reset();
        m_marks.clear();
        m_matches.clear();
        m_pressed = m_dragged = -1;
        rebuild();
    }
    viewport()->update();
}

void TokenCanvas::setTint(std::shared_ptr<const TokenTint> tint) {
    m_tint = std::move(tint);
    viewport()->update();
}

void TokenCanvas::setMarks(std::vector<std::uint8_t> marks) {
    if (marks == m_marks)
        return;
    m_marks = std::move(marks);
    viewport()->update();
}

void TokenCanvas::setMatches(std::vector<std::uint8_t> matches) {
    if (matches == m_matches)
        return;
    m_matches = std::move(matches);
    viewport()->update();
}

void TokenCanvas::setMessage(const QString& message) {
    m_message = message;
    viewport()->update();
}

void TokenCanvas::setUpdating(bool updating) {
    m_updating = updating;
    viewport()->update();
}

void TokenCanvas::setToolTips(std::function<QString(int)> plainText) {
    m_toolTip = std::move(plainText);
}

QFont TokenCanvas::textFont() const {
    return m_shape == Shape::Strip ? Theme::mono() : Theme::body();
}

void TokenCanvas::rebuild() {
    const QFontMetricsF metrics(textFont());
    TextLayout::Style style;
    style.space = metrics.horizontalAdvance(QLatin1Char(' '));
    style.lineHeight = std::ceil(metrics.height()) + kMarkRoom + 1;
    if (m_shape == Shape::Strip) {
        style.width = 0;
        style.padding = 5;
        style.gap = 2;
        style.leastWidth = 24;
        style.lineHeight = std::ceil(metrics.height()) + kMarkRoom + 6;
    } else {
        style.width = viewport()->width() - 2 * kMargin;
        style.leastWidth = 5;
    }
    // The same words come again and again: each distinct text is measured once.
    std::unordered_map<QString, double> known;
    m_layout.build(m_cells, style, [&](const TokenCell& cell) {
        const auto found = known.find(cell.text);
        if (found != known.end())
            return found->second;
        return known.emplace(cell.text, metrics.horizontalAdvance(cell.text)).first->second;
    });
    placeScrollBars();
    viewport()->update();
}

void TokenCanvas::placeScrollBars() {
    if (m_shape == Shape::Strip) {
        const int room = viewport()->width();
        horizontalScrollBar()->setPageStep(room);
        horizontalScrollBar()->setSingleStep(40);
        horizontalScrollBar()->setRange(0,
                                        std::max(0, static_cast<int>(m_layout.width() + 2 * kMargin) - room));
    } else {
        const int room = viewport()->height();
        verticalScrollBar()->setPageStep(room);
        verticalScrollBar()->setSingleStep(24);
        verticalScrollBar()->setRange(0, std::max(0, static_cast<int>(m_layout.height() + kMargin) - room));
    }
}

QPointF TokenCanvas::offset() const {
    if (m_shape == Shape::Strip)
        return {kMargin - horizontalScrollBar()->value(),
                std::max(4.0, (viewport()->height() - m_layout.height()) / 2)};
    return {kMargin, 4.0 - verticalScrollBar()->value()};
}

int TokenCanvas::tokenAt(QPoint point) const {
    return m_layout.tokenAt(QPointF(point) - offset());
}

QRect TokenCanvas::tokenRect(int token) const {
    return m_layout.rectOf(token).translated(offset()).toAlignedRect();
}

void TokenCanvas::showToken(int token) {
    const QRect rect = tokenRect(token);
    if (rect.isEmpty())
        return;
    if (m_shape == Shape::Strip) {
        if (rect.left() < 0 || rect.right() > viewport()->width())
            horizontalScrollBar()->setValue(horizontalScrollBar()->value() + rect.center().x() -
                                            viewport()->width() / 2);
    } else if (rect.top() < 0 || rect.bottom() > viewport()->height()) {
        verticalScrollBar()->setValue(verticalScrollBar()->value() + rect.center().y() -
                                      viewport()->height() / 2);
    }
}

QSize TokenCanvas::sizeHint() const {
    return {800, m_shape == Shape::Strip ? 48 : 120};
}

QSize TokenCanvas::minimumSizeHint() const {
    return {120, 26};
}

void TokenCanvas::resizeEvent(QResizeEvent* event) {
    QAbstractScrollArea::resizeEvent(event);
    if (m_shape == Shape::Reading)
        rebuild();
    else
        placeScrollBars();
}

void TokenCanvas::mouseMoveEvent(QMouseEvent* event) {
    if (!m_live)
        return;
    const int token = tokenAt(event->position().toPoint());
    if (m_pressed >= 0 && token >= 0 && (token != m_pressed || m_dragged >= 0)) {
        m_dragged = token;
        viewport()->update();
    }
    m_selection.hover(token);
}

void TokenCanvas::mousePressEvent(QMouseEvent* event) {
    const int token = tokenAt(event->position().toPoint());
    if (event->button() == Qt::LeftButton && m_live && token >= 0)
        m_pressed = token;
    else
        QAbstractScrollArea::mousePressEvent(event);
}

void TokenCanvas::mouseReleaseEvent(QMouseEvent* event) {
    const int pressed = m_pressed, dragged = m_dragged;
    if (event->button() != Qt::LeftButton || pressed < 0)
        return QAbstractScrollArea::mouseReleaseEvent(event);
    m_pressed = m_dragged = -1;
    viewport()->update();
    if (static_cast<std::size_t>(std::max(pressed, dragged)) >= m_cells.size())
        return; // another text came while the button was down
    if (dragged >= 0)
        emit spanChosen(std::min(pressed, dragged), std::max(pressed, dragged) + 1);
    else
        movePin(pressed, event->modifiers().testFlag(Qt::ShiftModifier));
}

void TokenCanvas::contextMenuEvent(QContextMenuEvent* event) {
    if (!m_live)
        return;
    const bool byKey = event->reason() == QContextMenuEvent::Keyboard;
    const int token = byKey ? m_selection.query() : tokenAt(viewport()->mapFromGlobal(event->globalPos()));
    if (token >= 0)
        emit menuRequested(token,
                           byKey ? viewport()->mapToGlobal(tokenRect(token).center()) : event->globalPos());
}

void TokenCanvas::movePin(int token, bool add) {
    if (add)
        m_selection.togglePin(token);
    else
        m_selection.pin(token);
}

void TokenCanvas::keyPressEvent(QKeyEvent* event) {
    const int count = static_cast<int>(m_cells.size());
    if (!m_live || count == 0) {
        event->ignore();
        return;
    }
    const int at = m_selection.query();
    const auto step = [&](int token) {
        const int next = std::clamp(token, 0, count - 1);
        movePin(next, event->modifiers().testFlag(Qt::ShiftModifier) && !m_selection.pins().contains(next));
        showToken(next);
    };
    switch (event->key()) {
    case Qt::Key_Left:
        return step(at < 0 ? 0 : at - 1);
    case Qt::Key_Right:
        return step(at + 1);
    case Qt::Key_Home:
        return step(0);
    case Qt::Key_End:
        return step(count - 1);
    case Qt::Key_Return:
    case Qt::Key_Enter:
        if (m_selection.hovered() >= 0)
            return movePin(m_selection.hovered(), event->modifiers().testFlag(Qt::ShiftModifier));
        break;
    case Qt::Key_Up:
    case Qt::Key_Down:
        if (m_shape == Shape::Reading && at >= 0) {
            const QRectF rect = m_layout.rectOf(at);
            const double down = event->key() == Qt::Key_Down ? rect.height() : -rect.height();
            for (double nudge : {0.0, -8.0, -24.0, -80.0, -400.0}) {
                const int there =
                    m_layout.tokenAt({std::max(0.0, rect.center().x() + nudge), rect.center().y() + down});
                if (there >= 0)
                    return step(there);
            }
            return;
        }
        break;
    default:
        break;
    }
    event->ignore();
}

void TokenCanvas::wheelEvent(QWheelEvent* event) {
    if (m_shape == Shape::Strip && event->angleDelta().y() != 0) {
        horizontalScrollBar()->setValue(horizontalScrollBar()->value() - event->angleDelta().y());
        event->accept();
        return;
    }
    QAbstractScrollArea::wheelEvent(event);
}

bool TokenCanvas::viewportEvent(QEvent* event) {
    if (event->type() == QEvent::Leave && m_live)
        m_selection.hover(-1);
    if (event->type() == QEvent::ToolTip && m_toolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const int token = m_live ? tokenAt(help->pos()) : -1;
        if (token >= 0)
            QToolTip::showText(help->globalPos(), Qt::convertFromPlainText(m_toolTip(token)), viewport(),
                               tokenRect(token));
        else
            QToolTip::hideText();
        return true;
    }
    return QAbstractScrollArea::viewportEvent(event);
}

void TokenCanvas::focusInEvent(QFocusEvent* event) {
    QAbstractScrollArea::focusInEvent(event);
    viewport()->update();
}

void TokenCanvas::focusOutEvent(QFocusEvent* event) {
    QAbstractScrollArea::focusOutEvent(event);
    viewport()->update();
}

} // namespace fovea::ui
