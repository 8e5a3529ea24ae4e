#include "ui/plot/MapPicture.h"
#include "core/text/Display.h"
#include <QFontMetricsF>
#include <QPainterPath>
#include <algorithm>
#include <cmath>

namespace fovea::ui {

namespace {

constexpr double kTitleHeight = 20, kAxisWordHeight = 16, kGap = 16, kEdge = 8;
constexpr double kNumberKeyGutter = 18, kTokenKeyGutter = 76, kNumberQueryGutter = 64,
                 kTokenQueryGutter = 116, kQueryWordWidth = 14;

/// The cells a plot shows, clipped to the text.
struct CellRange {
    int key0, key1, query0, query1; ///< half open
};
CellRange shownCells(const MapScene& scene, const QRectF& plot) {
    const MapViewport& v = scene.view;
    const auto clip = [&](double x) { return std::clamp(static_cast<int>(std::floor(x)), 0, scene.count); };
    return {clip(v.key), clip(v.key + plot.width() / v.cell + 1), clip(v.query),
            clip(v.query + plot.height() / v.cell + 1)};
}

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
        const double widest = m_metrics.horizontalAdvance(QString::number(std::max(m_scene.count - 1, 0)));
        return labelStep(m_scene.view.cell, widest + 12);
    }
    [[nodiscard]] QString text(int token, bool boxed) const {
        if (m_layout.tokenLabels || boxed)
            return tokenLabel(m_scene.tokens.get(), token, m_layout.tokenLabels ? 7 : 10);
        return QString::number(token);
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
        tick({m_plot.left() - 4, y}, {m_plot.left(), y}, ink);
        const double height = m_metrics.height();
        const double left = m_layout.axisWordHeight > 0 ? 4 : kQueryWordWidth + 2;
        const QRectF box(m_plot.left() - m_layout.queryGutter + left, y - height / 2,
                         m_layout.queryGutter - left - 6, height);
        const QString label = m_metrics.elidedText(text(token, boxed), Qt::ElideRight, box.width());
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

/// A line of ink between lines of paper, so that it is seen on every colour.
void contrastLine(QPainter& painter, const QPointF& from, const QPointF& to, const Theme& theme) {
    painter.setPen(QPen(theme.paper, 3, Qt::SolidLine, Qt::FlatCap));
    painter.drawLine(from, to);
    painter.setPen(QPen(theme.ink, 1, Qt::SolidLine, Qt::FlatCap));
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
        m_painter.setPen(QPen(m_scene.theme.ink3, 1));
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
        m_painter.setPen(QPen(m_scene.theme.paper, 3));
        m_painter.drawRect(frame);
        m_painter.setPen(QPen(m_scene.theme.ink, 1));
        m_painter.drawRect(frame);
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

QString cellNumber(float value, bool difference, double cell) {
    const double magnitude = std::abs(static_cast<double>(value));
    const int digits = cell >= (difference ? 38.0 : 28.0) ? 3 : 2;
    if (magnitude < (digits == 3 ? 0.0005 : 0.005))
        return {};
    QString text = QString::number(magnitude, 'f', magnitude >= 0.9995 ? 0 : digits);
    if (text.startsWith(QLatin1Char('0')))
        text.remove(0, 1);
    if (difference)
        text.prepend(value < 0 ? QChar(0x2212) : QLatin1Char('+'));
    return text;
}

void paintNumbers(QPainter& painter, const MapScene& scene, const MapLayer& content, const QRectF& plot,
                  const TileLookup& tiles) {
    if (scene.view.cell < kNumbersFrom || content.quantity == MapQuantity::Kept)
        return;
    const CellRange cells = shownCells(scene, plot);
    const MapSamples samples = sampleCells(content, cells.query0, cells.query1 - cells.query0, cells.key0,
                                           cells.key1 - cells.key0, tiles);
    painter.setFont(Theme::axis());
    const QFontMetricsF metrics(Theme::axis());
    for (int y = 0; y < samples.height; ++y)
        for (int x = 0; x < samples.width; ++x) {
            const CellLook look = samples.look[samples.at(x, y)];
            const float value = samples.value[samples.at(x, y)];
            const bool difference = content.quantity == MapQuantity::Difference;
            if (look != CellLook::Attended &&
                !(look == CellLook::Skipped && (difference || content.quantity == MapQuantity::Full)))
                continue;
            const QString text = cellNumber(value, difference, scene.view.cell);
            const QRectF box(plot.topLeft() + scene.view.toPlot(cells.key0 + x, cells.query0 + y),
                             QSizeF(scene.view.cell, scene.view.cell));
            if (text.isEmpty() || !plot.contains(box) || metrics.horizontalAdvance(text) > box.width())
                continue;
            painter.setPen(onColor(cellColor(content, scene.theme, look, value)));
            painter.drawText(box, Qt::AlignCenter, text);
        }
}

/// Lines x + y = n * 7 inside a rectangle, as the picture's texture has them.
void addHatch(QPainterPath& path, const QRectF& box) {
    const double first = std::ceil((box.left() + box.top()) / kHatchPeriod) * kHatchPeriod;
    for (double sum = first; sum < box.right() + box.bottom(); sum += kHatchPeriod) {
        const double x0 = std::max(box.left(), sum - box.bottom()),
                     x1 = std::min(box.right(), sum - box.top());
        if (x1 - x0 < 0.05)
            continue;
        path.moveTo(x0, sum - x0);
        path.lineTo(x1, sum - x1);
    }
}

/// Cells as rectangles, equal neighbours of a row as one; textures as lines and dots. Nothing is clipped by
/// the painter, since Qt's SVG writer cannot.
void paintVectorCells(QPainter& painter, const MapScene& scene, const MapLayer& content, const QRectF& plot,
                      const TileLookup& tiles) {
    const CellRange cells = shownCells(scene, plot);
    const MapSamples samples = sampleCells(content, cells.query0, cells.query1 - cells.query0, cells.key0,
                                           cells.key1 - cells.key0, tiles);
    const auto rect = [&](int x0, int x1, int y) {
        return QRectF(plot.topLeft() + scene.view.toPlot(cells.key0 + x0, cells.query0 + y),
                      plot.topLeft() + scene.view.toPlot(cells.key0 + x1, cells.query0 + y + 1.0))
            .intersected(plot);
    };
    QPainterPath hatch, lines, dots;
    painter.setPen(Qt::NoPen);
    const bool perCell = scene.view.cell >= kDotFromCell;
    const auto lookAt = [&](int x, int y) { return samples.look[samples.at(x, y)]; };
    const auto colorAt = [&](int x, int y) {
        const std::size_t at = samples.at(x, y);
        return cellColor(content, scene.theme, lookAt(x, y), samples.value[at], samples.far[at]);
    };
    for (int y = 0; y < samples.height; ++y)
        for (int x = 0; x < samples.width;) {
            const CellLook look = lookAt(x, y);
            const QRgb color = colorAt(x, y);
            int end = x + 1;
            while (end < samples.width && lookAt(end, y) == look && colorAt(end, y) == color)
                ++end;
            painter.setBrush(QColor(color));
            painter.drawRect(rect(x, end, y));
            if (look == CellLook::Skipped)
                addHatch(hatch, rect(x, end, y));
            for (; x < end; ++x) {
                const QRectF cell = rect(x, x + 1, y);
                if (!perCell || cell.isEmpty())
                    continue;
                if ((look == CellLook::Attended && content.scale.kind() != ScaleKind::Signed &&
                     samples.value[samples.at(x, y)] < content.nearZero) ||
                    look == CellLook::RoutedKey)
                    dots.addEllipse(cell.center(), 0.9, 0.9);
                if (look == CellLook::Always)
                    lines.addRect(QRectF(cell.center().x() - 0.5, cell.top(), 1, cell.height()));
                if (look == CellLook::RoutedQuery)
                    lines.addRect(QRectF(cell.left(), cell.center().y() - 0.5, cell.width(), 1));
            }
        }
    const bool kept = content.quantity == MapQuantity::Kept;
    painter.setBrush(kept ? onColor(scene.theme.reasonColor(Reason::Routed).rgb()) : scene.theme.dot());
    painter.drawPath(dots);
    painter.setBrush(onColor(scene.theme.reasonColor(Reason::Always).rgb()));
    painter.drawPath(lines);
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(scene.theme.texture(), 0.8, Qt::SolidLine, Qt::FlatCap));
    painter.drawPath(hatch);
}

void paintCells(QPainter& painter, const MapScene& scene, std::size_t pane, const QRectF& plot,
                const TileLookup& tiles, const PaintOptions& options) {
    const MapLayer& content = scene.panes[pane];
    if (options.cells == CellInk::Vector) {
        paintVectorCells(painter, scene, content, plot, tiles);
        return;
    }
    const MapFrame frame = MapFrame::of(scene.view, plot.size(), options.ratio);
    QImage image = options.image ? options.image(pane, frame) : rasterMap(frame, content, scene.theme, tiles);
    // On a whole device pixel, so that no pixel is smeared over two.
    const QPointF at(std::round(plot.left() * options.ratio) / options.ratio,
                     std::round(plot.top() * options.ratio) / options.ratio);
    painter.drawImage(QRectF(at, QSizeF(frame.width, frame.height) / options.ratio), image,
                      QRectF(image.rect()));
}

/// The names of the axes with the directions in which they run.
void paintAxisWords(QPainter& painter, const MapLayout& layout, const QRectF& plot, bool first) {
    const QString key = QStringLiteral("key \u2192");
    const double top = plot.top() - layout.keyGutter - layout.axisWordHeight;
    if (layout.axisWordHeight > 0) {
        painter.drawText(QRectF(plot.left(), top, plot.width(), kAxisWordHeight),
                         Qt::AlignLeft | Qt::AlignVCenter, key);
        if (first)
            painter.drawText(
                QRectF(plot.left() - layout.queryGutter, plot.top() - 20, layout.queryGutter - 8, 16),
                Qt::AlignRight | Qt::AlignVCenter, QStringLiteral("query \u2193"));
        return;
    }
    if (!first)
        return;
    painter.drawText(
        QRectF(plot.left() - layout.queryGutter, plot.top() - 18, layout.queryGutter - 10, kAxisWordHeight),
        Qt::AlignRight | Qt::AlignVCenter, key);
    painter.save();
    painter.translate(plot.left() - layout.queryGutter, plot.bottom());
    painter.rotate(-90);
    painter.drawText(QRectF(0, 0, plot.height(), kQueryWordWidth), Qt::AlignCenter,
                     QStringLiteral("\u2190 query"));
    painter.restore();
}

} // namespace

QString tokenLabel(const Tokens* tokens, int token, std::size_t characters) {
    QString label = QString::number(token);
    if (tokens != nullptr && token >= 0 && static_cast<std::size_t>(token) < tokens->pieces.size())
        label +=
            QLatin1Char(' ') +
            QString::fromStdString(displayText(tokens->pieces[static_cast<std::size_t>(token)], characters));
    return label;
}

QString quantityTitle(MapQuantity quantity) {
    switch (quantity) {
    case MapQuantity::Full:
        return QStringLiteral("full attention p");
    case MapQuantity::Hybrid:
        return QStringLiteral("hybrid attention p\u0302");
    case MapQuantity::Difference:
        return QStringLiteral("difference p\u0302 \u2212 p");
    case MapQuantity::Kept:
        break;
    }
    return QStringLiteral("kept keys, by reason");
}

MapLayout layoutMap(const MapScene& scene, const QRectF& area) {
    MapLayout layout;
    layout.tokenLabels = scene.view.cell >= kTokenLabelsFrom && scene.tokens;
    layout.queryGutter = layout.tokenLabels ? kTokenQueryGutter : kNumberQueryGutter;
    layout.keyGutter = layout.tokenLabels ? kTokenKeyGutter : kNumberKeyGutter;
    const auto count = static_cast<double>(std::max<std::size_t>(scene.panes.size(), 1));
    layout.titleHeight = scene.bare && scene.panes.size() < 2 ? 0 : kTitleHeight;
    layout.axisWordHeight = scene.bare ? 0 : kAxisWordHeight;
    const double top = area.top() + layout.titleHeight + layout.axisWordHeight + layout.keyGutter;
    const double width = std::floor((area.width() - layout.queryGutter - kEdge - kGap * (count - 1)) / count);
    const double height = std::floor(area.bottom() - kEdge - top);
    QSizeF size(std::max(1.0, width), std::max(1.0, height));
    if (scene.bare)
        size = {std::min(size.width(), size.height()), std::min(size.width(), size.height())};
    for (double i = 0; i < count; ++i)
        layout.plots.emplace_back(
            QPointF(std::round(area.left() + layout.queryGutter + i * (size.width() + kGap)),
                    std::round(top)),
            size);
    return layout;
}

std::size_t vectorCells(const MapScene& scene, const MapLayout& layout) {
    if (scene.view.cell < 1 || layout.plots.empty())
        return 0;
    const CellRange cells = shownCells(scene, layout.plots.front());
    return static_cast<std::size_t>(cells.key1 - cells.key0) *
           static_cast<std::size_t>(cells.query1 - cells.query0) * scene.panes.size();
}

void paintMap(QPainter& painter, const MapScene& scene, const MapLayout& layout, const TileLookup& tiles,
              const PaintOptions& options) {
    const Theme& theme = scene.theme;
    painter.setRenderHint(QPainter::TextAntialiasing);
    painter.setRenderHint(QPainter::SmoothPixmapTransform, false);
    for (std::size_t i = 0; i < layout.plots.size(); ++i) {
        const QRectF plot = layout.plots[i];
        const bool filled = i < scene.panes.size() && scene.count > 0;
        painter.setFont(Theme::section());
        painter.setPen(theme.ink);
        const double titleTop = plot.top() - layout.keyGutter - layout.axisWordHeight - layout.titleHeight;
        if (filled && layout.titleHeight > 0)
            painter.drawText(
                QRectF(plot.left(), titleTop, plot.width(), kTitleHeight), Qt::AlignLeft | Qt::AlignVCenter,
                QFontMetricsF(Theme::section())
                    .elidedText(quantityTitle(scene.panes[i].quantity), Qt::ElideRight, plot.width()));
        painter.setFont(Theme::axis());
        painter.setPen(theme.ink2);
        paintAxisWords(painter, layout, plot, i == 0);
        if (filled) {
            paintCells(painter, scene, i, plot, tiles, options);
            paintNumbers(painter, scene, scene.panes[i], plot, tiles);
            Marks marks(painter, scene, plot);
            marks.diagonal();
            for (const int token : scene.pins)
                if (token != scene.pinned.query)
                    marks.row(token);
            marks.pair(scene.pinned, true);
            marks.pair(scene.hovered, false);
            Axes axes(painter, scene, layout, plot);
            axes.keys();
            if (i == 0)
                axes.queries();
        }
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme.controlEdge, 1));
        painter.drawRect(plot.adjusted(-0.5, -0.5, 0.5, 0.5));
    }
    if (!scene.empty.isEmpty() && !layout.plots.empty()) {
        painter.setFont(Theme::body());
        painter.setPen(theme.ink2);
        painter.drawText(layout.plots.front().united(layout.plots.back()).adjusted(16, 16, -16, -16),
                         Qt::AlignCenter | Qt::TextWordWrap, scene.empty);
    }
}

} // namespace fovea::ui
