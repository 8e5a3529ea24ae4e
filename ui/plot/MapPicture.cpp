#include "ui/plot/MapPicture.h"
#include "core/policy/PolicyTitle.h"
#include "core/text/Display.h"
#include "ui/plot/MapAxes.h"
#include "ui/plot/Rescale.h"
#include <QFontMetricsF>
#include <QPainterPath>
#include <algorithm>
#include <cmath>

namespace fovea::ui {

namespace {

constexpr double kTitleHeight = 20, kGap = 16, kPaneEdge = 8, kBareEdge = 2;
/// Room for labels, at scale 1.
constexpr double kNumberKeyGutter = 16, kTokenKeyGutter = 76, kNumberQueryGutter = 64,
                 kTokenQueryGutter = 116;

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
            const bool difference = isDifference(content.quantity);
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

} // namespace

QString cellLabel(const MapScene& scene, int cell, std::size_t characters) {
    const auto at = static_cast<std::size_t>(std::max(cell, 0));
    QString label = QString::number(scene.recipe ? scene.recipe->tokensOf(at).first : at);
    if (characters > 0 && scene.tokens && at < scene.tokens->pieces.size())
        label += QLatin1Char(' ') + QString::fromStdString(displayText(scene.tokens->pieces[at], characters));
    return label;
}

bool comparesPolicies(const MapScene& scene) {
    return std::any_of(scene.panes.begin(), scene.panes.end(), [](const MapLayer& pane) {
        return pane.quantity == MapQuantity::ArmDifference ||
               (pane.arm == MapArm::A && pane.quantity != MapQuantity::Full);
    });
}

QString paneTitle(const MapScene& scene, const MapLayer& pane) {
    const auto named = [](const QString& letter, const QString& name) {
        return name.isEmpty() ? letter : letter + QStringLiteral(": ") + name;
    };
    const QString arm = pane.arm == MapArm::A ? named(QStringLiteral("A"), scene.armA)
                                              : named(QStringLiteral("B"), scene.armB);
    switch (pane.quantity) {
    case MapQuantity::Full:
        return scene.armA.isEmpty() || scene.armA == QString::fromStdString(armTitle({}))
                   ? QStringLiteral("A: full attention")
                   : QStringLiteral("full attention");
    case MapQuantity::Hybrid:
        return arm;
    case MapQuantity::Difference:
        return QStringLiteral("B \u2212 A: minus full attention");
    case MapQuantity::ArmDifference:
        return scene.armA.isEmpty() ? QStringLiteral("B \u2212 A")
                                    : QStringLiteral("B \u2212 A: minus %1").arg(scene.armA);
    case MapQuantity::Kept:
        break;
    }
    return QStringLiteral("kept keys of ") + arm;
}

bool hasStripRoom(const MapScene& scene) {
    return scene.stripRoom || !scene.strip.empty();
}

MapViewport fitWhole(MapScene scene, const QRectF& area) {
    const auto fit = [&] {
        return MapViewport::fitAll(scene.count, layoutMap(scene, area).plots.front().size());
    };
    scene.view.cell = 0; // without token labels, which leave less room
    const MapViewport plain = scene.view = fit();
    if (!layoutMap(scene, area).tokenLabels)
        return plain;
    const MapViewport labelled = scene.view = fit();
    if (layoutMap(scene, area).tokenLabels)
        return labelled;
    // With labels the cells are too small for labels: the largest without them.
    MapViewport view = plain;
    view.cell = std::min(view.cell, kTokenLabelsFrom - 0.01);
    return view;
}

MapLayout layoutMap(const MapScene& scene, const QRectF& area) {
    MapLayout layout;
    layout.tokenLabels = scene.view.cell >= kTokenLabelsFrom && scene.tokens;
    layout.strip = hasStripRoom(scene) ? kStripWidth : 0;
    layout.queryGutter = scaled(layout.tokenLabels ? kTokenQueryGutter : kNumberQueryGutter) + layout.strip;
    layout.keyGutter = scaled(layout.tokenLabels ? kTokenKeyGutter : kNumberKeyGutter);
    const auto count = static_cast<double>(std::max<std::size_t>(scene.panes.size(), 1));
    layout.titleHeight = scene.bare && scene.panes.size() < 2 ? 0 : scaled(kTitleHeight);
    layout.axisWordHeight = scene.bare ? 0 : scaled(kAxisWordHeight);
    const double top = area.top() + layout.titleHeight + layout.axisWordHeight + layout.keyGutter;
    const double width =
        std::floor((area.width() - layout.queryGutter - kPaneEdge - kGap * (count - 1)) / count);
    const double height = std::floor(area.bottom() - (scene.bare ? kBareEdge : kPaneEdge) - top);
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
            painter.drawText(QRectF(plot.left(), titleTop, plot.width(), layout.titleHeight),
                             Qt::AlignLeft | Qt::AlignVCenter,
                             QFontMetricsF(Theme::section())
                                 .elidedText(paneTitle(scene, scene.panes[i]), Qt::ElideRight, plot.width()));
        painter.setFont(Theme::axis());
        painter.setPen(theme.ink2);
        paintAxisWords(painter, layout, plot, i == 0);
        if (filled) {
            paintCells(painter, scene, i, plot, tiles, options);
            paintNumbers(painter, scene, scene.panes[i], plot, tiles);
            paintMarks(painter, scene, plot);
            paintKeyLabels(painter, scene, layout, plot);
            if (i == 0) {
                paintQueryLabels(painter, scene, layout, plot);
                paintStrip(painter, scene, layout, plot);
            }
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
