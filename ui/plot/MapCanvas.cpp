#include "ui/plot/MapCanvas.h"
#include "ui/plot/Rescale.h"
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPaintEvent>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace fovea::ui {

namespace {
constexpr double kDragFrom = 4; // pixels: less is a click
constexpr double kKeyStep = 64; // pixels a pan key moves
} // namespace

MapCanvas::MapCanvas(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("map.canvas"));
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setMinimumSize(280, 160);
    setAttribute(Qt::WA_OpaquePaintEvent);
}

void MapCanvas::setScene(MapScene scene) {
    const bool sameText = scene.count == m_scene.count;
    const bool sameRoom =
        scene.panes.size() == m_scene.panes.size() && hasStripRoom(scene) == hasStripRoom(m_scene);
    scene.view = m_scene.view;
    m_scene = std::move(scene);
    m_pictures.clear();
    if (!sameText || (m_fitted && !sameRoom))
        fitAll();
    else if (!sameRoom)
        setViewport(m_scene.view);
    update();
}

void MapCanvas::setMarks(Pair hovered, Pair pinned, int hoveredToken, std::vector<int> pins) {
    if (hovered == m_scene.hovered && pinned == m_scene.pinned && hoveredToken == m_scene.hoveredToken &&
        pins == m_scene.pins)
        return;
    m_scene.hovered = hovered;
    m_scene.pinned = pinned;
    m_scene.hoveredToken = hoveredToken;
    m_scene.pins = std::move(pins);
    update();
}

std::optional<MapCanvas::Block> MapCanvas::blockAt(QPointF position) const {
    const MapLayout layout = mapLayout();
    const MapFrame pixels = frame();
    const int level = pixels.level();
    const double size = pixels.cell * static_cast<double>(std::int64_t{1} << level);
    for (std::size_t i = 0; i < std::min(layout.plots.size(), m_scene.panes.size()); ++i) {
        if (!layout.plots[i].contains(position))
            continue;
        const QPointF at = (position - layout.plots[i].topLeft()) * pixels.ratio;
        const auto cells = [&](std::int64_t pixel) {
            const PixelSpan span = pixelSpan(pixel, size);
            const auto clip = [&](std::int64_t value) {
                return static_cast<std::size_t>(std::clamp<std::int64_t>(value << level, 0, m_scene.count));
            };
            return RowRange{clip(span.first), clip(span.last)};
        };
        const Block block{cells(pixels.originY + static_cast<std::int64_t>(at.y())),
                          cells(pixels.originX + static_cast<std::int64_t>(at.x())), i};
        if (block.queries.first < block.queries.last && block.keys.first < block.keys.last)
            return block;
    }
    return std::nullopt;
}

std::size_t MapCanvas::paneAt(QPointF position) const {
    const MapLayout layout = mapLayout();
    std::size_t pane = 0;
    for (std::size_t i = 0; i < layout.plots.size(); ++i)
        if (position.x() >= layout.plots[i].left())
            pane = i;
    return pane;
}

void MapCanvas::reveal(Pair pair) {
    if (!pair.valid())
        return;
    const QSizeF plot = plotSize();
    MapViewport view = m_scene.view;
    const auto axis = [&](double& origin, double at, double extent) {
        const double cells = extent / view.cell;
        const double margin = std::min(1.0, cells / 4);
        origin = std::min(origin, at - margin);
        origin = std::max(origin, at + 1 + margin - cells);
    };
    axis(view.key, pair.key, plot.width());
    axis(view.query, pair.query, plot.height());
    if (view != m_scene.view)
        setViewport(view);
}

void MapCanvas::fitPair(Pair pair) {
    if (pair.valid())
        setViewport(MapViewport::fit(pair.key - 15.5, pair.key + 16.5, pair.query - 15.5, pair.query + 16.5,
                                     plotSize()));
}

void MapCanvas::invalidate() {
    m_pictures.clear();
    update();
}

QSizeF MapCanvas::plotSize() const {
    return mapLayout().plots.front().size();
}

MapLayout MapCanvas::mapLayout() const {
    return layoutMap(m_scene, QRectF(rect()));
}

MapFrame MapCanvas::frame() const {
    return MapFrame::of(m_scene.view, plotSize(), devicePixelRatioF());
}

RowRange MapCanvas::shownQueries() const {
    const double first = m_scene.view.query, last = first + plotSize().height() / m_scene.view.cell;
    return {static_cast<std::size_t>(std::clamp(std::floor(first), 0.0, static_cast<double>(m_scene.count))),
            static_cast<std::size_t>(std::clamp(std::ceil(last), 0.0, static_cast<double>(m_scene.count)))};
}

RowRange MapCanvas::shownKeys() const {
    const double first = m_scene.view.key, last = first + plotSize().width() / m_scene.view.cell;
    return {static_cast<std::size_t>(std::clamp(std::floor(first), 0.0, static_cast<double>(m_scene.count))),
            static_cast<std::size_t>(std::clamp(std::ceil(last), 0.0, static_cast<double>(m_scene.count)))};
}

QPointF MapCanvas::cellCentre(Pair pair, std::size_t pane) const {
    const MapLayout layout = mapLayout();
    return layout.plots[std::min(pane, layout.plots.size() - 1)].topLeft() +
           m_scene.view.toPlot(pair.key + 0.5, pair.query + 0.5);
}

void MapCanvas::setViewport(const MapViewport& view) {
    MapViewport next = view;
    // Token labels take more room than numbers, and how much room there is decides what is in sight.
    m_scene.view.cell = next.cell;
    next = next.clamped(m_scene.count, plotSize());
    m_scene.view = next;
    m_fitted = fitsAll();
    update();
    emit viewportChanged();
}

bool MapCanvas::fitsAll() const {
    return m_scene.count == 0 ||
           m_scene.view.cell <= MapViewport::fitAll(m_scene.count, plotSize()).cell * 1.0001;
}

void MapCanvas::fitAll() {
    if (m_scene.count > 0)
        setViewport(fitWhole(m_scene, QRectF(rect())));
    m_fitted = true;
}

std::optional<QPointF> MapCanvas::inPlot(QPointF position) const {
    for (const QRectF& plot : mapLayout().plots)
        if (plot.contains(position))
            return position - plot.topLeft();
    return std::nullopt;
}

Pair MapCanvas::pairAt(QPointF position) const {
    const auto at = inPlot(position);
    if (at && pools()) {
        const std::optional<Block> block = blockAt(position);
        return block ? Pair{static_cast<int>(block->queries.last) - 1, static_cast<int>(block->keys.first)}
                     : Pair{};
    }
    return at && !m_scene.panes.empty() ? m_scene.view.pairAt(*at, m_scene.count) : Pair{};
}

void MapCanvas::zoomAt(QPointF position, double factor) {
    if (m_scene.count == 0)
        return;
    const std::size_t pane = paneAt(position);
    const QPointF at = position - mapLayout().plots[pane].topLeft();
    const double key = m_scene.view.key + at.x() / m_scene.view.cell;
    const double query = m_scene.view.query + at.y() / m_scene.view.cell;
    const double whole = MapViewport::fitAll(m_scene.count, plotSize()).cell;
    MapViewport next = m_scene.view;
    next.cell = std::clamp(next.cell * factor, std::min(whole, MapViewport::kMaxCell),
                           std::max(whole, MapViewport::kMaxCell));
    // The margins may change with the cell size; the cell under the cursor does not move.
    m_scene.view.cell = next.cell;
    const QPointF after = position - mapLayout().plots[pane].topLeft();
    next.key = key - after.x() / next.cell;
    next.query = query - after.y() / next.cell;
    setViewport(next);
}

void MapCanvas::pan(double dx, double dy) {
    setViewport(m_scene.view.moved(dx, dy));
}

void MapCanvas::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.fillRect(rect(), m_scene.theme.panel);
    PaintOptions options;
    options.ratio = devicePixelRatioF();
    const TileLookup tiles =
        m_tiles ? m_tiles : [](const MapKey&) { return std::shared_ptr<const MapTile>(); };
    m_pictures.resize(m_scene.panes.size());
    QElapsedTimer timer;
    double made = 0;
    options.image = [&](std::size_t pane, const MapFrame& frame) {
        Picture& picture = m_pictures[pane];
        if (picture.image.isNull() || picture.frame != frame) {
            timer.start();
            picture = {frame, rasterMap(frame, m_scene.panes[pane], m_scene.theme, tiles)};
            made += static_cast<double>(timer.nsecsElapsed()) * 1e-6;
        }
        return picture.image;
    };
    paintMap(painter, m_scene, mapLayout(), tiles, options);
    if (made > 0)
        m_rasterMs = made;
    if (m_drag == Drag::Zoom || m_drag == Drag::Block) {
        painter.setBrush(Qt::NoBrush);
        const QRectF box = QRectF(m_pressed, m_last).normalized();
        painter.setPen(QPen(m_scene.theme.paper, scaled(3)));
        painter.drawRect(box);
        painter.setPen(QPen(m_scene.theme.ink, scaled(1)));
        painter.drawRect(box);
    }
    if (hasFocus()) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(m_scene.theme.accent, scaled(2)));
        painter.drawRect(QRectF(rect()).adjusted(1, 1, -1, -1));
    }
}

void MapCanvas::resizeEvent(QResizeEvent*) {
    if (m_fitted)
        fitAll();
    else
        setViewport(m_scene.view);
    emit resized();
}

void MapCanvas::wheelEvent(QWheelEvent* event) {
    const QPoint angle = event->angleDelta();
    const double notches = (angle.y() != 0 ? angle.y() : angle.x()) / 120.0;
    const double step = event->modifiers() & Qt::ControlModifier ? 1.05
                        : event->modifiers() & Qt::ShiftModifier ? 1.8
                                                                 : 1.25;
    zoomAt(event->position(), std::pow(step, notches));
    event->accept();
}

void MapCanvas::mousePressEvent(QMouseEvent* event) {
    m_button = event->button();
    m_pressed = m_last = event->position();
    m_drag = m_button == Qt::MiddleButton ? Drag::Pan : Drag::Click;
}

void MapCanvas::mouseMoveEvent(QMouseEvent* event) {
    const QPointF position = event->position();
    if (m_drag == Drag::Click && (position - m_pressed).manhattanLength() > kDragFrom)
        m_drag = m_button == Qt::RightButton ? Drag::Zoom : Drag::Block;
    if (m_drag == Drag::Pan)
        pan(position.x() - m_last.x(), position.y() - m_last.y());
    if (m_drag == Drag::Zoom || m_drag == Drag::Block)
        update();
    m_last = position;
    if (m_drag == Drag::None)
        emit pairHovered(pairAt(position));
}

void MapCanvas::mouseReleaseEvent(QMouseEvent* event) {
    if (event->button() != m_button)
        return;
    const Drag drag = std::exchange(m_drag, Drag::None);
    if (drag == Drag::Click && m_button == Qt::LeftButton) {
        const Pair pair = pairAt(event->position());
        if (pair.valid())
            emit pairClicked(pair, event->modifiers());
    }
    if (drag == Drag::Click && m_button == Qt::RightButton)
        emit menuRequested(pairAt(event->position()), event->globalPosition().toPoint());
    if (drag == Drag::Block) {
        const SelectionModel::Block block = cellsIn(QRectF(m_pressed, event->position()).normalized());
        if (block.valid())
            emit blockChosen(block);
        update();
    }
    if (drag == Drag::Zoom) {
        const auto plots = mapLayout().plots;
        for (const QRectF& plot : plots)
            if (plot.contains(m_pressed)) {
                const QRectF box = QRectF(m_pressed, event->position())
                                       .normalized()
                                       .intersected(plot)
                                       .translated(-plot.topLeft());
                const MapViewport& v = m_scene.view;
                if (box.width() > 2 && box.height() > 2)
                    setViewport(MapViewport::fit(v.key + box.left() / v.cell, v.key + box.right() / v.cell,
                                                 v.query + box.top() / v.cell,
                                                 v.query + box.bottom() / v.cell, plot.size()));
            }
        update();
    }
    m_button = Qt::NoButton;
}

SelectionModel::Block MapCanvas::cellsIn(const QRectF& box) const {
    for (const QRectF& plot : mapLayout().plots) {
        if (!plot.contains(m_pressed) && !plot.contains(box.center()))
            continue;
        const QRectF inside = box.intersected(plot).translated(-plot.topLeft());
        const MapViewport& v = m_scene.view;
        const auto cell = [&](double at) {
            return std::clamp(static_cast<int>(std::floor(at)), 0, std::max(0, m_scene.count - 1));
        };
        if (inside.isEmpty() || m_scene.count == 0)
            return {};
        return {cell(v.query + inside.top() / v.cell), cell(v.query + inside.bottom() / v.cell) + 1,
                cell(v.key + inside.left() / v.cell), cell(v.key + inside.right() / v.cell) + 1};
    }
    return {};
}

void MapCanvas::setBlock(SelectionModel::Block block) {
    m_scene.block = block;
    update();
}

void MapCanvas::leaveEvent(QEvent*) {
    emit pairHovered({});
}

bool MapCanvas::event(QEvent* event) {
    // While the picture has the focus, it gets single letters, even if the window has shortcuts for them.
    if (event->type() == QEvent::ShortcutOverride) {
        const auto* key = static_cast<QKeyEvent*>(event);
        const bool plain = (key->modifiers() & ~(Qt::ShiftModifier | Qt::KeypadModifier)) == Qt::NoModifier;
        if (plain &&
            std::string_view("WASDQE").find(static_cast<char>(key->key() & 0x7F)) != std::string_view::npos &&
            key->key() < 0x80) {
            event->accept();
            return true;
        }
    }
    if (event->type() == QEvent::FocusIn || event->type() == QEvent::FocusOut)
        update();
    return QWidget::event(event);
}

void MapCanvas::keyPressEvent(QKeyEvent* event) {
    if ((event->modifiers() & ~(Qt::ShiftModifier | Qt::KeypadModifier)) != Qt::NoModifier) {
        QWidget::keyPressEvent(event);
        return;
    }
    const QRectF plot = mapLayout().plots.front();
    switch (event->key()) {
    case Qt::Key_W:
        zoomAt(plot.center(), 1.25);
        return;
    case Qt::Key_S:
        zoomAt(plot.center(), 1 / 1.25);
        return;
    case Qt::Key_A:
        pan(kKeyStep, 0);
        return;
    case Qt::Key_D:
        pan(-kKeyStep, 0);
        return;
    case Qt::Key_Q:
        pan(0, kKeyStep);
        return;
    case Qt::Key_E:
        pan(0, -kKeyStep);
        return;
    default:
        QWidget::keyPressEvent(event);
    }
}

} // namespace fovea::ui
