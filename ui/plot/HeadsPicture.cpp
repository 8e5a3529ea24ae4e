#include "ui/plot/HeadsPicture.h"
#include "ui/plot/HeadImages.h"
#include "ui/plot/MapPicture.h"
#include "ui/plot/Rescale.h"
#include <QFontMetricsF>
#include <algorithm>
#include <array>
#include <cmath>

namespace fovea::ui {

namespace {

constexpr double kLeastRow = 8; ///< height of a cell that can still be read and clicked
constexpr double kGroupGap = 4, kEdge = 8, kFullMark = 26, kHeadNumbers = 18;
constexpr double kLeastPicture = 16, kLargestPicture = 96;

/// Least, middle and largest value; empty without values.
struct Spread {
    double least = 0, median = 0, largest = 0;
};
std::optional<Spread> spreadOf(const HeadsScene& scene) {
    std::vector<double> sorted;
    for (const auto& v : scene.values)
        if (v)
            sorted.push_back(*v);
    if (sorted.empty())
        return std::nullopt;
    std::sort(sorted.begin(), sorted.end());
    const std::size_t n = sorted.size();
    return Spread{sorted.front(), (sorted[(n - 1) / 2] + sorted[n / 2]) / 2, sorted.back()};
}

float unitOf(const Spread& spread, double value) {
    const double range = spread.largest - spread.least;
    // If all values are equal, the scale is 0 to 1, so that a kept mass of 0 is not drawn in the middle
    // colour.
    return static_cast<float>(range > 0 ? (value - spread.least) / range : std::clamp(value, 0.0, 1.0));
}

/// Pictures are large, so the column that marks full layers is kept only where there are some.
double markWidth(const HeadsScene& scene) {
    const bool any = std::find(scene.full.begin(), scene.full.end(), true) != scene.full.end();
    return scene.metric == HeadMetric::Picture && !any ? 0 : kFullMark;
}

double gaps(const HeadsScene& scene) {
    return kGroupGap * std::max(0, scene.kvHeads - 1);
}

double labelWidth(const HeadsScene& scene) {
    return QFontMetricsF(Theme::axis())
               .horizontalAdvance(QStringLiteral("L%1").arg(std::max(0, scene.layers - 1))) +
           8;
}

} // namespace

int HeadsScene::knownCount() const {
    int count = 0;
    for (int l = 0; l < layers; ++l)
        for (int h = 0; h < heads; ++h)
            count += known(l, h) ? 1 : 0;
    return count;
}

HeadsScene headsScene(const Snapshot& snapshot, const Snapshot* older, HeadMetric metric,
                      const Theme& theme) {
    HeadsScene scene;
    scene.theme = theme;
    scene.metric = metric;
    if (!snapshot.model)
        return scene;
    const ModelShape& shape = snapshot.model->shape;
    scene.layers = shape.layers;
    scene.heads = shape.heads;
    scene.kvHeads = shape.kvHeads;
    const bool comparable =
        older != nullptr && older->model == snapshot.model && older->textHash == snapshot.textHash;
    const std::shared_ptr<const Snapshot> armA = headMetric(metric).ofPolicy ? snapshot.armA() : nullptr;
    for (int l = 0; l < scene.layers; ++l) {
        scene.full.push_back(snapshot.request && snapshot.request->policy.fullInLayer(l));
        for (int h = 0; h < scene.heads; ++h) {
            std::optional<double> value = headValue(snapshot, metric, l, h);
            if (!value && comparable) {
                value = headValue(*older, metric, l, h);
                scene.old = scene.old || value.has_value();
            }
            scene.values.push_back(value);
            if (armA)
                scene.against.push_back(headValue(*armA, metric, l, h));
        }
    }
    return scene;
}

QRectF HeadsLayout::cell(const HeadsScene& scene, int layer, int head) const {
    const int group = head * std::max(1, scene.kvHeads) / std::max(1, scene.heads);
    return {grid.left() + head * cellWidth + group * kGroupGap, grid.top() + layer * cellHeight, cellWidth,
            cellHeight};
}

HeadsLayout layoutHeads(const HeadsScene& scene, const QRectF& area, bool legend) {
    HeadsLayout layout;
    const double left = area.left() + kEdge + labelWidth(scene), top = area.top() + kHeadNumbers;
    const double width = area.right() - kEdge - markWidth(scene) - left - gaps(scene);
    const double height = area.bottom() - top - (legend ? kHeadsLegendHeight : 0) - kEdge;
    const auto largest = [](double room, int count) {
        double cell = 12;
        for (const double size : {24.0, 48.0})
            if (size * std::max(1, count) <= room)
                cell = size;
        return cell;
    };
    if (scene.metric == HeadMetric::Picture) {
        layout.cellWidth =
            std::clamp(std::floor(width / std::max(1, scene.heads)), kLeastPicture, kLargestPicture);
        layout.cellHeight = layout.cellWidth;
    } else {
        layout.cellWidth = largest(width, scene.heads);
        layout.cellHeight =
            std::clamp(std::floor(height / std::max(1, scene.layers)), kLeastRow, layout.cellWidth);
    }
    layout.grid =
        QRectF(left, top, layout.cellWidth * scene.heads + gaps(scene), layout.cellHeight * scene.layers);
    if (legend)
        layout.legend = QRectF(area.left() + kEdge, layout.grid.bottom() + kEdge, area.width() - 2 * kEdge,
                               kHeadsLegendHeight);
    return layout;
}

double leastHeadsWidth(const HeadsScene& scene) {
    return layoutHeads(scene, {}).grid.right() + markWidth(scene) + kEdge;
}

void paintHeadsLegend(QPainter& painter, const HeadsScene& scene, const QRectF& area) {
    const Theme& theme = scene.theme;
    const Ramp& ramp = Ramp::weights(theme);
    const QRectF bar(area.left(), area.top() + 16, std::min(area.width(), 240.0), 10);
    painter.setFont(Theme::axis());
    painter.setPen(theme.ink2);
    const bool picture = scene.metric == HeadMetric::Picture;
    const QString title = !picture ? QString::fromUtf8(headMetric(scene.metric).name)
                          : scene.pictureCell > 1
                              ? QStringLiteral("largest full p in %1 x %1 tokens, log").arg(scene.pictureCell)
                              : QStringLiteral("full p of each pair, log");
    painter.drawText(QRectF(area.left(), area.top(), area.width(), 14), Qt::AlignLeft | Qt::AlignVCenter,
                     title);
    QImage strip(std::max(2, static_cast<int>(bar.width())), 1, QImage::Format_ARGB32_Premultiplied);
    for (int x = 0; x < strip.width(); ++x)
        strip.setPixel(x, 0, ramp.at(static_cast<float>(x) / static_cast<float>(strip.width() - 1)));
    painter.drawImage(bar, strip, QRectF(strip.rect()));
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(theme.controlEdge, scaled(1)));
    painter.drawRect(bar);
    if (picture) {
        const QRectF line(bar.left(), bar.bottom() + 2, bar.width(), 14);
        painter.drawText(line, Qt::AlignLeft | Qt::AlignVCenter, QStringLiteral("0.0001"));
        painter.drawText(line, Qt::AlignCenter, QStringLiteral("0.01"));
        painter.drawText(line, Qt::AlignRight | Qt::AlignVCenter, QStringLiteral("1"));
        return;
    }
    const std::optional<Spread> spread = spreadOf(scene);
    if (!spread)
        return;
    const QFontMetricsF metrics(Theme::axis());
    const QString least = QStringLiteral("min ") + threeDigits(spread->least),
                  largest = QStringLiteral("max ") + threeDigits(spread->largest),
                  median = QStringLiteral("median ") + threeDigits(spread->median);
    painter.setPen(scene.old ? theme.ink3 : theme.ink);
    const QRectF line(bar.left(), bar.bottom() + 2, bar.width(), 14);
    painter.drawText(line, Qt::AlignLeft | Qt::AlignVCenter, least);
    painter.drawText(line, Qt::AlignRight | Qt::AlignVCenter, largest);
    const double at = bar.left() + static_cast<double>(unitOf(*spread, spread->median)) * bar.width();
    const double half = metrics.horizontalAdvance(median) / 2;
    const double low = bar.left() + metrics.horizontalAdvance(least) + 8 + half,
                 high = bar.right() - metrics.horizontalAdvance(largest) - 8 - half;
    if (low <= high)
        painter.drawText(
            QRectF(std::clamp(at, low, high) - half - 2, line.top(), half * 2 + 4, line.height()),
            Qt::AlignCenter, median);
    painter.setPen(QPen(theme.paper, scaled(3)));
    painter.drawLine(QPointF(at, bar.top() - 2), QPointF(at, bar.bottom() + 2));
    painter.setPen(QPen(theme.ink, scaled(1)));
    painter.drawLine(QPointF(at, bar.top() - 2), QPointF(at, bar.bottom() + 2));
}

void paintHeads(QPainter& painter, const HeadsScene& scene, const HeadsLayout& layout) {
    const Theme& theme = scene.theme;
    if (scene.layers == 0) {
        painter.setFont(Theme::body());
        painter.setPen(theme.ink2);
        painter.drawText(layout.legend.united(layout.grid), Qt::AlignCenter | Qt::TextWordWrap, scene.empty);
        return;
    }
    const QFontMetricsF metrics(Theme::axis());
    painter.setFont(Theme::axis());
    painter.setPen(theme.ink2);
    const int layerStep = static_cast<int>(std::ceil((metrics.height() - 1) / layout.cellHeight));
    for (int l = 0; l < scene.layers; l += layerStep)
        painter.drawText(
            QRectF(layout.grid.left() - 60, layout.grid.top() + l * layout.cellHeight, 54, layout.cellHeight),
            Qt::AlignRight | Qt::AlignVCenter | Qt::TextDontClip, QStringLiteral("L%1").arg(l));
    const double headWidth = metrics.horizontalAdvance(QStringLiteral("H%1").arg(scene.heads - 1)) + 4;
    const int headStep = std::max(1, static_cast<int>(std::ceil(headWidth / layout.cellWidth)));
    for (int h = 0; h < scene.heads; h += headStep) {
        const QRectF cell = layout.cell(scene, 0, h);
        painter.drawText(
            QRectF(cell.center().x() - 30, layout.grid.top() - kHeadNumbers, 60, kHeadNumbers - 2),
            Qt::AlignCenter, QStringLiteral("H%1").arg(h));
    }
    const std::optional<Spread> spread = spreadOf(scene);
    const Ramp& ramp = Ramp::weights(theme);
    const QRectF shown = painter.hasClipping() ? painter.clipBoundingRect() : QRectF(painter.viewport());
    for (int l = 0; l < scene.layers; ++l) {
        for (int h = 0; h < scene.heads; ++h) {
            const QRectF box = layout.cell(scene, l, h).adjusted(0, 0, -1, -1);
            if (!shown.intersects(box))
                continue;
            const std::optional<double>& value = scene.value(l, h);
            if (const QImage* picture = scene.picture(l, h)) {
                paintHeadImage(painter, *picture, box, theme);
                continue;
            }
            if (!value) { // not known yet: an empty frame
                painter.setBrush(theme.paper);
                painter.setPen(QPen(theme.divider, scaled(1)));
                painter.drawRect(box.adjusted(0.5, 0.5, -0.5, -0.5));
                continue;
            }
            const QRgb color = ramp.at(unitOf(*spread, *value));
            painter.fillRect(box, QColor(color));
            if (scene.full[static_cast<std::size_t>(l)]) { // kept full by the policy: a corner
                painter.setPen(Qt::NoPen);
                painter.setBrush(onColor(color));
                painter.drawPolygon(QPolygonF(
                    {box.topRight(), box.topRight() - QPointF(5, 0), box.topRight() + QPointF(0, 5)}));
            }
        }
        if (scene.full[static_cast<std::size_t>(l)] && layout.cellHeight >= 12) {
            painter.setPen(theme.ink2);
            painter.drawText(QRectF(layout.grid.right() + 4, layout.grid.top() + l * layout.cellHeight,
                                    kFullMark, layout.cellHeight),
                             Qt::AlignLeft | Qt::AlignVCenter | Qt::TextDontClip, QStringLiteral("full"));
        }
    }
    painter.setBrush(Qt::NoBrush);
    for (const auto& [layer, head] : scene.chosen) {
        if (layer >= scene.layers || head >= scene.heads)
            continue;
        const QRectF box = layout.cell(scene, layer, head).adjusted(0.5, 0.5, -1.5, -1.5);
        painter.setPen(QPen(theme.paper, scaled(3)));
        painter.drawRect(box);
        painter.setPen(QPen(theme.accent, scaled(1)));
        painter.drawRect(box);
    }
    if (scene.selectedLayer >= 0 && scene.selectedLayer < scene.layers && scene.selectedHead >= 0 &&
        scene.selectedHead < scene.heads) {
        const QRectF box =
            layout.cell(scene, scene.selectedLayer, scene.selectedHead).adjusted(-0.5, -0.5, -0.5, -0.5);
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme.paper, scaled(4)));
        painter.drawRect(box);
        painter.setPen(QPen(theme.ink, scaled(2)));
        painter.drawRect(box);
    }
    if (!layout.legend.isEmpty())
        paintHeadsLegend(painter, scene, layout.legend);
}

} // namespace fovea::ui
