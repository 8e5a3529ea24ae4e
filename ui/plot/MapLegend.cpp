#include "ui/plot/MapPicture.h"
#include "ui/plot/Rescale.h"
#include <QFontMetricsF>
#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

namespace fovea::ui {

namespace {

// At scale 1.
constexpr double kLineRow = 18, kSwatchRow = 24, kBarRow = 32; ///< heights
constexpr double kSwatch = 14, kBarWidth = 170, kSpace = 16, kLongestLine = 310, kLongestName = 110;
constexpr double kLegendEdge = 8; ///< between the items and the ends of the area

/// One part of the legend: its size and how it is drawn at a place.
struct Item {
    double width = 0, height = 0;
    std::function<void(QPainter&, QPointF)> paint;
};

class Legend {
public:
    /// Nothing is wider than `width` has room for.
    Legend(const MapScene& scene, double width, double ratio)
        : m_scene(scene), m_width(width), m_ratio(ratio), m_metrics(Theme::axis()),
          m_longest(std::clamp(width - 2 * kLegendEdge, scaled(kLongestName), scaled(kLongestLine))) {
        const auto shows = [&](MapQuantity q) {
            return std::any_of(scene.panes.begin(), scene.panes.end(),
                               [q](const MapLayer& p) { return p.quantity == q; });
        };
        const bool lines = std::any_of(scene.panes.begin(), scene.panes.end(), [](const MapLayer& p) {
            return p.quantity != MapQuantity::Full || p.keptOverlay;
        });
        // A map alone has no title: its name stands here.
        const bool alone = scene.bare && scene.panes.size() == 1;
        const auto name = [&](const MapLayer& pane, const QString& usual) {
            const QString title = alone ? paneTitle(scene, pane) : usual;
            if (m_metrics.horizontalAdvance(title) <= scaled(kLongestName))
                return title;
            wrapped(title); // nothing of it is cut
            return usual;
        };
        if (scene.recipe)
            wrapped(QString::fromStdString(scene.recipe->text()));
        for (const MapLayer& pane : scene.panes)
            if (pane.quantity == MapQuantity::Full || pane.quantity == MapQuantity::Hybrid) {
                bar(pane, name(pane, QStringLiteral("weight")));
                break;
            }
        for (const MapLayer& pane : scene.panes)
            if (isDifference(pane.quantity))
                bar(pane, QStringLiteral("B \u2212 A"));
        if (shows(MapQuantity::Kept)) {
            if (alone && comparesPolicies(scene))
                wrapped(paneTitle(scene, scene.panes.front())); // the keys of arm A
            swatch(CellLook::Local, MapQuantity::Kept, QStringLiteral("local"));
            swatch(CellLook::Always, MapQuantity::Kept, QStringLiteral("always"));
            swatch(CellLook::RoutedKey, MapQuantity::Kept, QStringLiteral("routed, key role"));
            swatch(CellLook::RoutedQuery, MapQuantity::Kept, QStringLiteral("routed, query role"));
            swatch(CellLook::Far, MapQuantity::Kept, QStringLiteral("far field"));
        }
        if (shows(MapQuantity::Full) || shows(MapQuantity::Hybrid))
            swatch(CellLook::Attended, MapQuantity::Full, QStringLiteral("\u2248 0"));
        if (lines)
            swatch(CellLook::Skipped, MapQuantity::Kept,
                   shows(MapQuantity::ArmDifference) ? QStringLiteral("not routed by B")
                                                     : QStringLiteral("not routed"));
        const bool outside = std::any_of(scene.panes.begin(), scene.panes.end(), [](const MapLayer& p) {
            return p.nativeWindow > 0 && p.nativeWindow < p.tokens;
        });
        const bool impossible =
            std::any_of(scene.panes.begin(), scene.panes.end(), [](const MapLayer& p) { return p.causal; });
        if (impossible || outside)
            swatch(CellLook::Impossible, MapQuantity::Full,
                   outside ? QStringLiteral("after the query, or outside the model's window of %1")
                                 .arg(scene.panes.front().nativeWindow)
                           : QStringLiteral("comes after the query"));
        words();
        if (!scene.hidden.isEmpty())
            wrapped((!hasStripRoom(scene) ? QStringLiteral("left out: ") : QStringLiteral("strip: ")) +
                    scene.hidden);
    }

    [[nodiscard]] const std::vector<Item>& items() const { return m_items; }

private:
    void text(QPainter& painter, const QRectF& box, int flags, const QString& words,
              const QColor& ink) const {
        painter.setFont(Theme::axis());
        painter.setPen(ink);
        painter.drawText(box, flags | Qt::TextDontClip, words);
    }

    void swatch(CellLook look, MapQuantity quantity, const QString& name) {
        const double side = scaled(kSwatch), room = m_longest - side - 6;
        double width = m_metrics.horizontalAdvance(name), height = scaled(kSwatchRow);
        int flags = Qt::AlignLeft | Qt::AlignVCenter;
        if (width > room) {
            flags |= Qt::TextWordWrap;
            const QRectF words = m_metrics.boundingRect(QRectF(0, 0, room, 1000), flags, name);
            width = room;
            height = std::max(height, words.height() + scaled(4));
        }
        m_items.push_back({side + 6 + width, height, [=, this](QPainter& painter, QPointF at) {
                               const QRectF box(at.x(), at.y() + (height - side) / 2, side, side);
                               paintSwatch(painter, box, look, quantity);
                               text(painter, QRectF(box.right() + 6, at.y(), width, height), flags, name,
                                    m_scene.theme.ink2);
                           }});
    }

    void paintSwatch(QPainter& painter, const QRectF& box, CellLook look, MapQuantity quantity) const {
        MapLayer content;
        content.quantity = quantity;
        const Theme& theme = m_scene.theme;
        // The kept mask's swatches are of pixels whose pairs are all read.
        const bool read = look < CellLook::Attended;
        const QRgb ground = cellColor(content, theme, look, read && look != CellLook::Far ? 1.0F : 0.0F,
                                      look == CellLook::Far ? 1.0F : 0.0F);
        painter.setPen(QPen(theme.controlEdge, 1));
        painter.setBrush(QColor(ground));
        painter.drawRect(box);
        painter.setBrush(Qt::NoBrush);
        const QPointF middle = box.center();
        const QColor mark = onColor(ground);
        switch (look) {
        case CellLook::Skipped:
            painter.setPen(QPen(theme.texture(), 1));
            for (const double shift : {-7.0, 0.0, 7.0}) {
                const double x0 = std::max(box.left(), box.left() + shift),
                             x1 = std::min(box.right(), box.right() + shift);
                painter.drawLine(QPointF(x0, box.bottom() - (x0 - box.left() - shift)),
                                 QPointF(x1, box.bottom() - (x1 - box.left() - shift)));
            }
            break;
        case CellLook::Always:
            painter.setPen(QPen(mark, 1));
            painter.drawLine(QPointF(middle.x(), box.top() + 1), QPointF(middle.x(), box.bottom() - 1));
            break;
        case CellLook::RoutedQuery:
            painter.setPen(QPen(mark, 1));
            painter.drawLine(QPointF(box.left() + 1, middle.y()), QPointF(box.right() - 1, middle.y()));
            break;
        case CellLook::RoutedKey:
        case CellLook::Attended:
            painter.setPen(Qt::NoPen);
            painter.setBrush(look == CellLook::Attended ? theme.dot() : mark);
            painter.drawEllipse(middle, 1.2, 1.2);
            break;
        default:
            break;
        }
    }

    void bar(const MapLayer& pane, const QString& name) {
        const double nameWidth = m_metrics.horizontalAdvance(name) + 8, after = scaled(24);
        const double width = std::clamp(m_width - kLegendEdge - nameWidth - 8 - after, scaled(kBarWidth) / 3,
                                        scaled(kBarWidth));
        m_items.push_back(
            {nameWidth + 8 + width + after, scaled(kBarRow), [=, this](QPainter& painter, QPointF at) {
                 paintBar(painter, pane,
                          QRectF(at.x() + nameWidth + 8, at.y() + scaled(4), width, scaled(10)));
                 text(painter, QRectF(at.x(), at.y() - scaled(7), nameWidth, scaled(kBarRow)),
                      Qt::AlignLeft | Qt::AlignVCenter, name, m_scene.theme.ink2);
             }});
    }

    void paintBar(QPainter& painter, const MapLayer& pane, const QRectF& box) const {
        const Theme& theme = m_scene.theme;
        const bool difference = pane.scale.kind() == ScaleKind::Signed;
        const Ramp& ramp = difference ? Ramp::signedDifference(theme) : Ramp::weights(theme);
        QImage strip(static_cast<int>(std::lround(box.width() * m_ratio)), 1,
                     QImage::Format_ARGB32_Premultiplied);
        for (int x = 0; x < strip.width(); ++x)
            strip.setPixel(
                x, 0, ramp.at(static_cast<float>(x) / static_cast<float>(std::max(1, strip.width() - 1))));
        painter.drawImage(box, strip, QRectF(strip.rect()));
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme.controlEdge, 1));
        painter.drawRect(box);
        std::vector<std::pair<double, QString>> ticks;
        if (difference) {
            const double limit = static_cast<double>(pane.scale.limit());
            ticks = {{0, QStringLiteral("\u2264 \u2212%1").arg(limit)},
                     {0.5, QStringLiteral("same")},
                     {1, QStringLiteral("\u2265 +%1").arg(limit)}};
            // The neutral band, in place.
            const double half = std::min(0.5, static_cast<double>(kNeutralBand) / limit / 2) * box.width();
            painter.setPen(QPen(theme.ink3, 1));
            for (const double x : {box.center().x() - half, box.center().x() + half})
                painter.drawLine(QPointF(x, box.top()), QPointF(x, box.bottom() + 3));
        } else if (pane.scale.kind() == ScaleKind::Log)
            ticks = {{0, QStringLiteral("0.0001")},
                     {0.25, QStringLiteral("0.001")},
                     {0.5, QStringLiteral("0.01")},
                     {0.75, QStringLiteral("0.1")},
                     {1, QStringLiteral("1")}};
        else
            ticks = {{0, QStringLiteral("0")}, {0.5, QStringLiteral("0.5")}, {1, QStringLiteral("1")}};
        // The ends first: what lies between them gives way where the bar is short.
        std::swap(ticks[1], ticks.back());
        std::vector<std::pair<double, double>> taken;
        for (const auto& [place, words] : ticks) {
            const double x = box.left() + place * box.width();
            const double half = m_metrics.horizontalAdvance(words) / 2 + 2;
            const auto meets = [&](const auto& other) {
                return x - half < other.second && other.first < x + half;
            };
            if (std::any_of(taken.begin(), taken.end(), meets))
                continue;
            taken.emplace_back(x - half, x + half);
            painter.setPen(QPen(theme.ink2, 1));
            painter.drawLine(QPointF(x, box.bottom()), QPointF(x, box.bottom() + 3));
            text(painter, QRectF(x - 30, box.bottom() + 2, 60, scaled(14)), Qt::AlignHCenter | Qt::AlignTop,
                 words, theme.ink2);
        }
    }

    void words() {
        QStringList parts;
        const double cell = m_scene.view.cell * m_ratio; // a pixel of the device pools
        const bool pools = !m_scene.panes.empty() && cell < 1;
        const QString side = threeDigits(1 / cell);
        const MapLayer* weights = nullptr;
        bool kept = false, lines = false, signedPane = false;
        for (const MapLayer& pane : m_scene.panes) {
            if (pane.quantity == MapQuantity::Full || pane.quantity == MapQuantity::Hybrid)
                weights = &pane;
            kept = kept || pane.quantity == MapQuantity::Kept;
            lines = lines || (pane.keptOverlay && pane.quantity != MapQuantity::Kept);
            signedPane = signedPane || isDifference(pane.quantity);
        }
        if (weights != nullptr)
            parts << (weights->scale.kind() == ScaleKind::Log ? QStringLiteral("log scale")
                                                              : QStringLiteral("linear scale"));
        if (signedPane && m_scene.bare && m_scene.panes.size() == 1)
            parts << QStringLiteral("A: %1").arg(m_scene.armA.isEmpty() ? QStringLiteral("full attention")
                                                                        : m_scene.armA);
        if (pools && (weights != nullptr || signedPane)) {
            const bool mass = m_scene.panes.front().pooling == Pooling::Mass;
            parts << QStringLiteral("a pixel: %1 of %2 \u00d7 %2 cells")
                         .arg(mass ? QStringLiteral("mass") : QStringLiteral("max"), side);
            if (mass)
                parts << QStringLiteral("mass: sum over keys, mean over queries");
            if (signedPane)
                parts << (mass ? QStringLiteral("B \u2212 A: the difference of the masses")
                               : QStringLiteral("B \u2212 A: the largest difference of a pair"));
        }
        if (pools && kept)
            parts << QStringLiteral("kept: as strong as the share of %1 \u00d7 %1 cells that is read")
                         .arg(side);
        if (pools && lines)
            parts << QStringLiteral("lines: less than half is read");
        // As few lines as hold them.
        QString words;
        for (const QString& part : parts) {
            const QString longer = words.isEmpty() ? part : words + QStringLiteral(", ") + part;
            if (!words.isEmpty() && m_metrics.horizontalAdvance(longer) > m_longest) {
                wrapped(words);
                words = part;
            } else {
                words = longer;
            }
        }
        wrapped(words);
    }

    /// All of it, in as many lines as it needs.
    void wrapped(const QString& sentence) {
        QString part;
        for (const QString& word : sentence.split(QLatin1Char(' '))) {
            const QString longer = part.isEmpty() ? word : part + QLatin1Char(' ') + word;
            if (!part.isEmpty() && m_metrics.horizontalAdvance(longer) > m_longest) {
                line(part);
                part = word;
            } else {
                part = longer;
            }
        }
        line(part);
    }

    void line(const QString& words) {
        if (words.isEmpty())
            return;
        const QString shown = m_metrics.elidedText(words, Qt::ElideRight, m_longest);
        m_items.push_back(
            {m_metrics.horizontalAdvance(shown), scaled(kLineRow), [=, this](QPainter& painter, QPointF at) {
                 text(painter, QRectF(at.x(), at.y(), m_longest, scaled(kLineRow)),
                      Qt::AlignLeft | Qt::AlignVCenter, shown, m_scene.theme.ink2);
             }});
    }

    const MapScene& m_scene;
    double m_width, m_ratio;
    QFontMetricsF m_metrics;
    double m_longest; ///< width of an item, at most
    std::vector<Item> m_items;
};

/// Places items from left to right, in as many rows as they need; returns the height.
double flow(const std::vector<Item>& items, const QRectF& area, QPainter* painter) {
    double x = area.left() + kLegendEdge, y = area.top() + 2, row = 0;
    for (const Item& item : items) {
        if (x > area.left() + kLegendEdge && x + item.width > area.right() - kLegendEdge) {
            x = area.left() + kLegendEdge;
            y += std::exchange(row, 0);
        }
        if (painter != nullptr)
            item.paint(*painter, {x, y});
        x += item.width + kSpace;
        row = std::max(row, item.height);
    }
    return y + row + 2 - area.top();
}

} // namespace

double legendHeight(const MapScene& scene, double width, double devicePixelsPerPixel) {
    const Legend legend(scene, width, devicePixelsPerPixel);
    return flow(legend.items(), QRectF(0, 0, width, 1000), nullptr);
}

void paintMapLegend(QPainter& painter, const MapScene& scene, const QRectF& area,
                    double devicePixelsPerPixel) {
    const Legend legend(scene, area.width(), devicePixelsPerPixel);
    flow(legend.items(), area, &painter);
}

} // namespace fovea::ui
