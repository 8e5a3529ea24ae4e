#include "ui/plot/Rescale.h"
#include "ui/plot/Theme.h"
#include "ui/views/TokenCanvas.h"
#include "ui/views/TokenMarks.h"
#include <QPaintEvent>
#include <QPainter>
#include <QPainterPath>
#include <algorithm>
#include <bit>
#include <cmath>

// How the text is painted.
namespace fovea::ui {

namespace {

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
    painter.setPen(QPen(theme.texture(), scaled(1)));
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
        painter.setPen(QPen(theme.accent, scaled(2)));
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
        painter.setPen(QPen(theme.divider, scaled(1)));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(word.adjusted(0.5, 0.5, -0.5, -0.5));
    }
    if (cell.special) {
        painter.setPen(QPen(faint, scaled(1)));
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
        painter.setPen(QPen(theme.warning, scaled(1), Qt::DotLine));
        painter.drawLine(QPointF(word.left(), word.bottom() - 0.5),
                         QPointF(word.right(), word.bottom() - 0.5));
    }
    if (t < m_matches.size() && m_matches[t] != 0) {
        painter.setPen(QPen(theme.warning, scaled(2)));
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
        painter.setPen(QPen(theme.paper, scaled(width + 2)));
        painter.drawRect(rect);
        painter.setPen(QPen(colour, scaled(width)));
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
        painter.setPen(QPen(theme.paper, scaled(4)));
        painter.drawRect(rect);
        painter.setPen(QPen(theme.ink, scaled(2), Qt::DashLine));
        painter.drawRect(rect);
    }
    for (const int token : m_selection.pins())
        outline(token, theme.ink, token == m_selection.query() ? 2 : 1);
    outline(m_selection.pinnedPair().key, theme.accent, 2);
    outline(m_selection.hoveredPair().key, theme.ink2, 1);
    outline(m_selection.hovered(), theme.ink2, 1);
}

} // namespace fovea::ui
