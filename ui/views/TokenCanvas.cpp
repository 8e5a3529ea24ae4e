#include "ui/views/TokenCanvas.h"
#include "ui/plot/Theme.h"
#include "ui/views/TokenMarks.h"
#include <QFontMetricsF>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QPainter>
#include <QPainterPath>
#include <QScrollBar>
#include <QTextDocument>
#include <QToolTip>
#include <QWheelEvent>
#include <bit>
#include <cmath>
#include <unordered_map>

namespace fovea::ui {

namespace {

constexpr double kMargin = 8;
constexpr double kMarkRoom = 9; // below a word, for its mark

double luminance(const QColor& colour) {
    const auto linear = [](double c) {
        return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
    };
    return 0.2126 * linear(colour.redF()) + 0.7152 * linear(colour.greenF()) +
           0.0722 * linear(colour.blueF());
}

/// Black or white, whichever is stronger.
QColor inkOn(const QColor& fill) {
    const double l = luminance(fill);
    return (l + 0.05) / 0.05 >= 1.05 / (l + 0.05) ? QColor(Qt::black) : QColor(Qt::white);
}

} // namespace

void paintTintState(QPainter& painter, TintState state, const QColor& value, const QRectF& rect) {
    const Theme& theme = Theme::current();
    switch (state) {
    case TintState::None:
        return;
    case TintState::Value:
    case TintState::NearZero:
        painter.fillRect(rect, value);
        return;
    case TintState::Impossible:
        painter.fillRect(rect, theme.impossible);
        return;
    case TintState::Skipped:
        break;
    }
    // Lines of 45 degrees every 7 px, in screen space so that they run on from word to word.
    painter.save();
    painter.setClipRect(rect, Qt::IntersectClip);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(theme.texture(), 1));
    const double first = std::floor((rect.left() + rect.top()) / 7) * 7;
    for (double sum = first; sum <= rect.right() + rect.bottom(); sum += 7)
        painter.drawLine(QPointF(sum - rect.top(), rect.top()), QPointF(sum - rect.bottom(), rect.bottom()));
    painter.restore();
}

void paintTokenMark(QPainter& painter, std::uint8_t marks, QPointF centre, double size) {
    if (marks == 0)
        return;
    const Theme& theme = Theme::current();
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(Qt::NoPen);
    const double half = size / 2;
    double x = centre.x() - (std::popcount(static_cast<unsigned>(marks)) - 1) * (size + 1) / 2;
    if (marks & AlwaysMark) {
        painter.setBrush(theme.reasonColor(Reason::Always));
        painter.drawRect(QRectF(x - half + 0.5, centre.y() - half + 0.5, size - 1, size - 1));
        x += size + 1;
    }
    if (marks & KeyMark) {
        painter.setBrush(theme.reasonColor(Reason::Routed, Role::Keys));
        const QPointF down[] = {
            {x - half, centre.y() - half}, {x + half, centre.y() - half}, {x, centre.y() + half}};
        painter.drawPolygon(down, 3);
        x += size + 1;
    }
    if (marks & QueryMark) {
        painter.setBrush(theme.reasonColor(Reason::Routed, Role::Queries));
        const QPointF right[] = {
            {x - half, centre.y() - half}, {x + half, centre.y()}, {x - half, centre.y() + half}};
        painter.drawPolygon(right, 3);
    }
    painter.restore();
}

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
    style.lineHeight = std::ceil(metrics.height()) + kMarkRoom + 2;
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
        verticalScrollBar()->setSingleStep(26);
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

void TokenCanvas::paintEvent(QPaintEvent* event) {
    const Theme& theme = Theme::current();
    QPainter painter(viewport());
    painter.fillRect(event->rect(), theme.paper);
    if (m_cells.empty()) {
        painter.setFont(Theme::body());
        painter.setPen(theme.ink2);
        painter.drawText(viewport()->rect().adjusted(8, 4, -8, -4), Qt::AlignCenter | Qt::TextWordWrap,
                         m_message);
    } else {
        painter.setFont(textFont());
        const QPointF origin = offset();
        const int first = m_layout.lineAt(event->rect().top() - origin.y());
        const int last = m_layout.lineAt(event->rect().bottom() - origin.y());
        for (int l = std::max(0, first); l <= last; ++l) {
            const TextLayout::Line& line = m_layout.lines()[static_cast<std::size_t>(l)];
            for (int t = line.first; t < line.last; ++t) {
                const QRectF rect = m_layout.rectOf(t).translated(origin);
                if (rect.right() < event->rect().left())
                    continue;
                if (rect.left() > event->rect().right())
                    break;
                paintToken(painter, t, rect);
            }
            paintSelection(painter, line, origin);
        }
    }
    if (m_updating)
        painter.fillRect(QRect(0, 0, viewport()->width(), 2), theme.accent);
    if (hasFocus()) {
        painter.setPen(QPen(theme.accent, 2));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(viewport()->rect().adjusted(1, 1, -1, -1));
    }
}

void TokenCanvas::paintToken(QPainter& painter, int token, const QRectF& rect) const {
    const Theme& theme = Theme::current();
    const auto t = static_cast<std::size_t>(token);
    const TokenCell& cell = m_cells[t];
    const QRectF word(rect.left(), rect.top() + 1, rect.width(), rect.height() - kMarkRoom - 1);
    QColor ink = m_live ? theme.ink : theme.ink2, faint = theme.ink3;
    if (m_tint && t < m_tint->state.size()) {
        const TintState state = m_tint->state[t];
        const bool valued = state == TintState::Value || state == TintState::NearZero;
        const QColor fill = valued ? m_tint->color(t) : QColor();
        paintTintState(painter, state, fill, word);
        if (valued) {
            ink = inkOn(fill);
            faint = ink;
        } else if (state == TintState::Impossible) {
            ink = theme.ink2;
        }
        if (state == TintState::Skipped) {
            // Paper behind the letters keeps them readable between the lines.
            painter.fillRect(word.adjusted(0, 3, 0, -3),
                             QColor(theme.paper.red(), theme.paper.green(), theme.paper.blue(), 200));
        }
        if (state == TintState::NearZero && m_tint->kind != TintKind::Surprisal) {
            painter.save();
            painter.setRenderHint(QPainter::Antialiasing);
            painter.setPen(Qt::NoPen);
            painter.setBrush(faint);
            painter.drawEllipse(QPointF(word.center().x(), word.bottom() - 1.5), 0.9, 0.9);
            painter.restore();
        }
    } else if (m_shape == Shape::Strip) {
        painter.setPen(QPen(theme.divider, 1));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(word.adjusted(0.5, 0.5, -0.5, -0.5));
    }
    if (cell.special) {
        painter.setPen(QPen(faint, 1));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(word.adjusted(0.5, 0.5, -0.5, -0.5));
    }
    if (cell.tokens > 0) {
        QRectF room = word;
        if (cell.tokens > 1)
            room.setWidth(rect.width() * cell.tokens);
        const QFontMetricsF metrics(painter.font());
        const double wide = metrics.horizontalAdvance(cell.text);
        double x = room.left() + std::max(0.0, (room.width() - wide) / 2);
        const double baseline = word.top() + (word.height() + metrics.ascent() - metrics.descent()) / 2;
        if (cell.leadingDots > 0) {
            const QString dots = cell.text.left(cell.leadingDots);
            painter.setPen(faint);
            painter.setOpacity(0.45);
            painter.drawText(QPointF(x, baseline), dots);
            painter.setOpacity(1);
            x += metrics.horizontalAdvance(dots);
        }
        painter.setPen(cell.breaks > 0 && cell.leadingDots == 0 ? faint : ink);
        painter.drawText(QPointF(x, baseline), cell.text.mid(cell.leadingDots));
    }
    if (cell.loose) {
        painter.setPen(QPen(theme.warning, 1, Qt::DotLine));
        painter.drawLine(QPointF(word.left(), word.bottom() - 0.5),
                         QPointF(word.right(), word.bottom() - 0.5));
    }
    if (t < m_matches.size() && m_matches[t] != 0) {
        painter.setPen(QPen(theme.warning, 2));
        painter.drawLine(QPointF(word.left() + 1, word.bottom() - 1),
                         QPointF(word.right() - 1, word.bottom() - 1));
    }
    if (t < m_marks.size())
        paintTokenMark(painter, m_marks[t], {rect.center().x(), rect.bottom() - kMarkRoom / 2}, 6);
}

void TokenCanvas::paintSelection(QPainter& painter, const TextLayout::Line& line, QPointF origin) const {
    if (!m_live)
        return;
    const Theme& theme = Theme::current();
    const auto outline = [&](int token, const QColor& colour, double width) {
        if (token < line.first || token >= line.last)
            return;
        const QRectF rect = m_layout.rectOf(token).translated(origin).adjusted(-1, 0, 1, -kMarkRoom + 1);
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme.paper, width + 2));
        painter.drawRect(rect);
        painter.setPen(QPen(colour, width));
        painter.drawRect(rect);
    };
    // A span is a chain of words: one outline on each line.
    const SelectionModel::Block block = m_selection.block();
    const bool dragging = m_dragged >= 0;
    const int spanFirst = dragging ? std::min(m_pressed, m_dragged) : block.keyFirst;
    const int spanLast = dragging ? std::max(m_pressed, m_dragged) + 1 : block.keyLast;
    const int first = std::max(spanFirst, line.first), last = std::min(spanLast, line.last);
    if (first < last) {
        const QRectF rect = m_layout.rectOf(first)
                                .united(m_layout.rectOf(last - 1))
                                .translated(origin)
                                .adjusted(-1, 0, 1, -kMarkRoom + 1);
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme.paper, 4));
        painter.drawRect(rect);
        painter.setPen(QPen(theme.ink, 2, Qt::DashLine));
        painter.drawRect(rect);
    }
    for (const int token : m_selection.pins())
        outline(token, theme.ink, token == m_selection.query() ? 2 : 1);
    outline(m_selection.pinnedPair().key, theme.accent, 2);
    outline(m_selection.hoveredPair().key, theme.ink2, 1);
    outline(m_selection.hovered(), theme.ink2, 1);
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
