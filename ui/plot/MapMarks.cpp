#include "ui/plot/MapAxes.h"
#include "ui/plot/Rescale.h"
#include <QPainterPath>
#include <algorithm>
#include <cmath>

namespace fovea::ui {

namespace {

/// A line of ink between lines of paper, so that it is seen on every colour.
void contrastLine(QPainter& painter, const QPointF& from, const QPointF& to, const Theme& theme) {
    painter.setPen(QPen(theme.paper, scaled(3), Qt::SolidLine, Qt::FlatCap));
    painter.drawLine(from, to);
    painter.setPen(QPen(theme.ink, scaled(1), Qt::SolidLine, Qt::FlatCap));
    painter.drawLine(from, to);
}

class Marks {
public:
    Marks(QPainter& painter, const MapScene& scene, const QRectF& plot)
        : m_painter(painter), m_scene(scene), m_plot(plot),
          m_map(plot.intersected(QRectF(plot.topLeft() + scene.view.toPlot(0, 0),
                                        QSizeF(scene.count, scene.count) * scene.view.cell))) {}

    void diagonal() {
        const MapViewport& v = m_scene.view;
        const CellRange cells = shownCells(m_scene, m_plot);
        const int first = std::max(0, std::min(cells.key0, cells.query0) - 1);
        QPainterPath path;
        if (v.cell >= kDotFromCell) {
            for (int i = std::max({first, cells.query0 - 1, cells.key0 - 2});
                 i < std::min(cells.query1, cells.key1); ++i) {
                const double at = i;
                line(path, {at, at}, {at + 1, at});
                line(path, {at + 1, at}, {at + 1, at + 1});
            }
        } else {
            const double from = std::max({0.0, v.query, v.key - 1});
            const double to =
                std::min({static_cast<double>(m_scene.count), v.query + m_plot.height() / v.cell,
                          v.key - 1 + m_plot.width() / v.cell});
            if (to > from) {
                path.moveTo(point(from + 1, from));
                path.lineTo(
                    point(std::min<double>(to + 1, m_scene.count), std::min<double>(to, m_scene.count - 1)));
            }
        }
        m_painter.setBrush(Qt::NoBrush);
        m_painter.setPen(QPen(m_scene.theme.ink3, scaled(1)));
        m_painter.drawPath(path);
    }

    /// A pinned token: its row runs through the plot.
    void row(int query) {
        if (query < 0 || query >= m_scene.count)
            return;
        const double cell = m_scene.view.cell, top = point(0, query).y();
        if (cell >= kDotFromCell) { // beside the row, not over it
            horizontal(top, m_plot.left(), m_map.right());
            horizontal(top + cell, m_plot.left(), m_map.right());
        } else {
            horizontal(top + cell / 2, m_plot.left(), m_map.right());
        }
    }

    /// A pinned cell: its row and column run through the plot; a hovered one: lines from the axes to the
    /// cell.
    void pair(Pair pair, bool through) {
        const double cell = m_scene.view.cell;
        if (!pair.valid())
            return;
        const QPointF corner = point(pair.key, pair.query);
        const double size = std::max(cell, 5.0);
        const QRectF box(corner.x() + cell / 2 - size / 2, corner.y() + cell / 2 - size / 2, size, size);
        const double x = corner.x() + cell / 2, y = corner.y() + cell / 2;
        const double right = through ? m_map.right() : std::min(box.left(), m_map.right());
        const double bottom = through ? m_map.bottom() : std::min(box.top(), m_map.bottom());
        if (cell >= kDotFromCell) { // beside the row, not over it
            for (const double edge : {corner.y(), corner.y() + cell})
                horizontal(edge, m_plot.left(), right);
            for (const double edge : {corner.x(), corner.x() + cell})
                vertical(edge, m_plot.top(), bottom);
        } else {
            if (through) { // the middle of the cell stays open
                horizontal(y, m_plot.left(), std::min(box.left(), m_plot.right()));
                horizontal(y, std::max(box.right(), m_plot.left()), m_map.right());
                vertical(x, m_plot.top(), std::min(box.top(), m_plot.bottom()));
                vertical(x, std::max(box.bottom(), m_plot.top()), m_map.bottom());
            } else {
                horizontal(y, m_plot.left(), right);
                vertical(x, m_plot.top(), bottom);
            }
        }
        if (!m_plot.contains(box.center()))
            return;
        const QRectF frame = box.intersected(m_plot);
        m_painter.setBrush(Qt::NoBrush);
        m_painter.setPen(QPen(m_scene.theme.paper, scaled(3)));
        m_painter.drawRect(frame);
        m_painter.setPen(QPen(m_scene.theme.ink, scaled(1)));
        m_painter.drawRect(frame);
    }

    /// A chosen rectangle.
    void block(SelectionModel::Block block) {
        if (!block.valid())
            return;
        const QRectF frame =
            QRectF(point(block.keyFirst, block.queryFirst), point(block.keyLast, block.queryLast))
                .intersected(m_plot.adjusted(-2, -2, 2, 2));
        if (frame.isEmpty())
            return;
        m_painter.save();
        m_painter.setClipRect(m_plot);
        m_painter.setBrush(Qt::NoBrush);
        m_painter.setPen(QPen(m_scene.theme.paper, scaled(4)));
        m_painter.drawRect(frame);
        m_painter.setPen(QPen(m_scene.theme.ink, scaled(2), Qt::DashLine));
        m_painter.drawRect(frame);
        m_painter.restore();
    }

private:
    [[nodiscard]] QPointF point(double key, double query) const {
        return m_plot.topLeft() + m_scene.view.toPlot(key, query);
    }
    void line(QPainterPath& path, const QPointF& a, const QPointF& b) const {
        QPointF from = point(a.x(), a.y()), to = point(b.x(), b.y());
        const auto clip = [this](QPointF& p) {
            p.setX(std::clamp(p.x(), m_plot.left(), m_plot.right()));
            p.setY(std::clamp(p.y(), m_plot.top(), m_plot.bottom()));
        };
        clip(from);
        clip(to);
        if (from == to || (from.x() == to.x() && (from.x() == m_plot.left() || from.x() == m_plot.right())) ||
            (from.y() == to.y() && (from.y() == m_plot.top() || from.y() == m_plot.bottom())))
            return;
        path.moveTo(from);
        path.lineTo(to);
    }
    void horizontal(double y, double left, double right) {
        if (y > m_plot.top() && y < m_plot.bottom() && right > left)
            contrastLine(m_painter, {left, y}, {right, y}, m_scene.theme);
    }
    void vertical(double x, double top, double bottom) {
        if (x > m_plot.left() && x < m_plot.right() && bottom > top)
            contrastLine(m_painter, {x, top}, {x, bottom}, m_scene.theme);
    }
    QPainter& m_painter;
    const MapScene& m_scene;
    QRectF m_plot, m_map; ///< the plot, and what of it the text fills
};

} // namespace

void paintMarks(QPainter& painter, const MapScene& scene, const QRectF& plot) {
    Marks marks(painter, scene, plot);
    if (scene.panes.empty() || scene.panes.front().causal)
        marks.diagonal();
    for (const int token : scene.pins)
        if (token != scene.pinned.query)
            marks.row(token);
    marks.block(scene.block);
    marks.pair(scene.pinned, true);
    marks.pair(scene.hovered, false);
}

} // namespace fovea::ui
