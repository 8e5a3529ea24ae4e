#include "ui/plot/MapAxes.h"
#include "ui/plot/Rescale.h"
#include <QFontMetricsF>
#include <algorithm>
#include <cmath>

namespace fovea::ui {

namespace {

/// 1, 2, 5, 10, ... cells such that labels of `extent` pixels keep apart.
int labelStep(double cell, double extent) {
    for (int decade = 1;; decade *= 10)
        for (const int step : {1, 2, 5})
            if (step * decade * cell >= extent || decade > 100'000'000)
                return step * decade;
}

class Axes {
public:
    Axes(QPainter& painter, const MapScene& scene, const MapLayout& layout, const QRectF& plot)
        : m_painter(painter), m_scene(scene), m_layout(layout), m_plot(plot), m_metrics(Theme::axis()),
          m_cells(shownCells(scene, plot)) {}

    /// Pinned and hovered labels first: the others give way to them.
    void keys() {
        m_painter.setFont(Theme::axis());
        m_taken.clear();
        for (const int k : {hoveredKey(), m_scene.pinned.key})
            if (k >= m_cells.key0 && k < m_cells.key1)
                key(k, m_scene.theme.ink, true);
        const int step =
            m_layout.tokenLabels ? labelStep(m_scene.view.cell, m_metrics.height() - 1) : numberStep();
        for (int k = (m_cells.key0 + step - 1) / step * step; k < m_cells.key1; k += step)
            key(k, m_scene.theme.ink2, false);
    }

    void queries() {
        m_painter.setFont(Theme::axis());
        m_taken.clear();
        std::vector<int> boxed{hoveredQuery(), m_scene.pinned.query};
        boxed.insert(boxed.end(), m_scene.pins.begin(), m_scene.pins.end());
        for (const int q : boxed)
            if (q >= m_cells.query0 && q < m_cells.query1)
                query(q, m_scene.theme.ink, true);
        const int step = labelStep(m_scene.view.cell, m_layout.tokenLabels ? m_metrics.height() - 1 : 28);
        for (int q = (m_cells.query0 + step - 1) / step * step; q < m_cells.query1; q += step)
            query(q, m_scene.theme.ink2, false);
    }

private:
    [[nodiscard]] int hoveredKey() const {
        return m_scene.hovered.valid() ? m_scene.hovered.key : m_scene.hoveredToken;
    }
    [[nodiscard]] int hoveredQuery() const {
        return m_scene.hovered.valid() ? m_scene.hovered.query : m_scene.hoveredToken;
    }
    [[nodiscard]] int numberStep() const {
        const double widest = m_metrics.horizontalAdvance(cellLabel(m_scene, m_scene.count - 1, 0));
        return labelStep(m_scene.view.cell, widest + 12);
    }
    [[nodiscard]] QString text(int token, bool boxed) const {
        if (m_layout.tokenLabels || boxed)
            return cellLabel(m_scene, token, m_layout.tokenLabels ? 7 : 10);
        return cellLabel(m_scene, token, 0);
    }

    void key(int token, const QColor& ink, bool boxed) {
        const double x = m_plot.left() + (token + 0.5 - m_scene.view.key) * m_scene.view.cell;
        if (x < m_plot.left() || x > m_plot.right())
            return;
        tick({x, m_plot.top() - 4}, {x, m_plot.top()}, ink);
        const QString label = text(token, boxed);
        if (m_layout.tokenLabels) {
            const double height = m_metrics.height();
            m_painter.save();
            m_painter.translate(x, m_plot.top() - 5);
            m_painter.rotate(-90);
            const QRectF box(0, -height / 2, m_layout.keyGutter - 7, height);
            const QString cut = m_metrics.elidedText(label, Qt::ElideRight, box.width());
            if (take(QRectF(x - height / 2, 0, height, 1))) {
                m_painter.setPen(ink);
                m_painter.drawText(box, Qt::AlignLeft | Qt::AlignVCenter, cut);
            }
            m_painter.restore();
            return;
        }
        const double width = m_metrics.horizontalAdvance(label) + 6;
        QRectF box(x - width / 2, m_plot.top() - m_layout.keyGutter, width, m_layout.keyGutter - 4);
        const double left = m_plot.left() - 4, right = m_plot.right() + 4;
        if (boxed)
            box.moveLeft(std::clamp(box.left(), left, std::max(left, right - box.width())));
        else if (box.right() > m_plot.right() + 8)
            return;
        if (!take(box))
            return;
        m_painter.setPen(ink);
        m_painter.drawText(box, Qt::AlignCenter, label);
    }

    void query(int token, const QColor& ink, bool boxed) {
        const double y = m_plot.top() + (token + 0.5 - m_scene.view.query) * m_scene.view.cell;
        if (y < m_plot.top() || y > m_plot.bottom())
            return;
        const double edge = m_plot.left() - m_layout.strip;
        tick({edge - 4, y}, {edge, y}, ink);
        const double height = m_metrics.height();
        const double left = m_layout.axisWordHeight > 0 ? 4 : scaled(kQueryWordWidth) + 2;
        const QRectF box(m_plot.left() - m_layout.queryGutter + left, y - height / 2,
                         m_layout.queryGutter - m_layout.strip - left - 6, height);
        // A number without its word says more than a word without its letters.
        QString label = text(token, boxed);
        if (!m_layout.tokenLabels && m_metrics.horizontalAdvance(label) > box.width())
            label = cellLabel(m_scene, token, 0);
        label = m_metrics.elidedText(label, Qt::ElideRight, box.width());
        if (!take(box))
            return;
        m_painter.setPen(ink);
        m_painter.drawText(box, Qt::AlignRight | Qt::AlignVCenter, label);
    }

    /// Reserves room for a label; false when another stands there.
    bool take(const QRectF& box) {
        for (const QRectF& other : m_taken)
            if (other.intersects(box))
                return false;
        m_taken.push_back(box);
        return true;
    }

    void tick(const QPointF& from, const QPointF& to, const QColor& ink) {
        m_painter.setPen(QPen(ink, 1));
        m_painter.drawLine(from, to);
    }

    QPainter& m_painter;
    const MapScene& m_scene;
    const MapLayout& m_layout;
    QRectF m_plot;
    QFontMetricsF m_metrics;
    CellRange m_cells;
    std::vector<QRectF> m_taken; ///< labels of one axis
};

} // namespace

CellRange shownCells(const MapScene& scene, const QRectF& plot) {
    const MapViewport& v = scene.view;
    const auto clip = [&](double x) { return std::clamp(static_cast<int>(std::floor(x)), 0, scene.count); };
    return {clip(v.key), clip(v.key + plot.width() / v.cell + 1), clip(v.query),
            clip(v.query + plot.height() / v.cell + 1)};
}

void paintAxisWords(QPainter& painter, const MapLayout& layout, const QRectF& plot, bool first) {
    const QString key = QStringLiteral("key \u2192");
    const double top = plot.top() - layout.keyGutter - layout.axisWordHeight;
    if (layout.axisWordHeight > 0) {
        painter.drawText(QRectF(plot.left(), top, plot.width(), layout.axisWordHeight),
                         Qt::AlignLeft | Qt::AlignVCenter, key);
        if (first)
            painter.drawText(QRectF(plot.left() - layout.queryGutter, plot.top() - scaled(20),
                                    layout.queryGutter - 8, scaled(16)),
                             Qt::AlignRight | Qt::AlignVCenter, QStringLiteral("query \u2193"));
        return;
    }
    if (!first)
        return;
    painter.drawText(QRectF(plot.left() - layout.queryGutter, plot.top() - scaled(18),
                            layout.queryGutter - 10, scaled(kAxisWordHeight)),
                     Qt::AlignRight | Qt::AlignVCenter, key);
    painter.save();
    painter.translate(plot.left() - layout.queryGutter, plot.bottom());
    painter.rotate(-90);
    painter.drawText(QRectF(0, 0, plot.height(), scaled(kQueryWordWidth)), Qt::AlignCenter,
                     QStringLiteral("\u2190 query"));
    painter.restore();
}

void paintStrip(QPainter& painter, const MapScene& scene, const MapLayout& layout, const QRectF& plot) {
    if (layout.strip <= 0 || scene.panes.empty())
        return;
    const QRectF strip(plot.left() - layout.strip + 2, plot.top(), layout.strip - 6, plot.height());
    const MapScale& scale = scene.panes.front().scale;
    const MapScale weights =
        scale.kind() == ScaleKind::Signed ? MapScale(ScaleKind::Log) : scale; // shares have no sign
    const Ramp& ramp = Ramp::weights(scene.theme);
    const auto cells = static_cast<double>(scene.strip.size());
    for (double y = 0; y < strip.height(); y += 1) {
        const double first = scene.view.query + y / scene.view.cell;
        const double last = scene.view.query + (y + 1) / scene.view.cell;
        float share = -1;
        for (double cell = std::max(0.0, std::floor(first)); cell < std::min(last, cells); cell += 1)
            share = std::max(share, scene.strip[static_cast<std::size_t>(cell)]);
        if (share >= 0)
            painter.fillRect(QRectF(strip.left(), strip.top() + y, strip.width(), 1),
                             QColor::fromRgb(ramp.table()[weights.index(share)]));
    }
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(scene.theme.controlEdge, 1));
    painter.drawRect(strip.adjusted(-0.5, -0.5, 0.5, 0.5));
}

void paintKeyLabels(QPainter& painter, const MapScene& scene, const MapLayout& layout, const QRectF& plot) {
    Axes(painter, scene, layout, plot).keys();
}

void paintQueryLabels(QPainter& painter, const MapScene& scene, const MapLayout& layout, const QRectF& plot) {
    Axes(painter, scene, layout, plot).queries();
}

} // namespace fovea::ui
