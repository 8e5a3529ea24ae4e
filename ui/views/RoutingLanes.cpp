#include "ui/views/RoutingLanes.h"
#include "core/text/Display.h"
#include "ui/plot/Theme.h"
#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::ui {

namespace {

constexpr int kLabelWidth = 92;
constexpr int kLaneGap = 4;

struct LaneRects {
    QRect score, keys, queries, oracle, layers;
};

LaneRects laneRects(const QRect& area) {
    const int thin = 16;
    const int rest = std::max(0, area.height() - 3 * thin - 4 * kLaneGap);
    LaneRects r;
    int y = area.top();
    const auto take = [&](int height) {
        const QRect lane(area.left(), y, area.width(), height);
        y += height + kLaneGap;
        return lane;
    };
    r.score = take(rest * 2 / 5);
    r.keys = take(thin);
    r.queries = take(thin);
    r.oracle = take(thin);
    r.layers = take(rest - rest * 2 / 5);
    return r;
}

} // namespace

RoutingLanes::RoutingLanes(SelectionModel& selection, QWidget* parent)
    : QWidget(parent), m_selection(selection) {
    setObjectName(QStringLiteral("routing.lanes"));
    setAccessibleName(tr("Routing lanes"));
    setMouseTracking(true);
    setMinimumSize(240, 88);
    connect(&selection, &SelectionModel::hoverChanged, this, qOverload<>(&QWidget::update));
    connect(&selection, &SelectionModel::pinsChanged, this, qOverload<>(&QWidget::update));
    connect(&selection, &SelectionModel::cellChanged, this, qOverload<>(&QWidget::update));
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, qOverload<>(&QWidget::update));
}

void RoutingLanes::setData(std::shared_ptr<const RoutingLaneData> lanes, SnapshotPtr snapshot) {
    m_data = std::move(lanes);
    m_snapshot = std::move(snapshot);
    update();
}

void RoutingLanes::setSentence(const QString& sentence) {
    if (sentence == m_sentence)
        return;
    m_sentence = sentence;
    update();
}

QRect RoutingLanes::axisRect() const {
    return rect().adjusted(kLabelWidth, 2, -4, -2);
}

double RoutingLanes::xOf(std::size_t token) const {
    const QRect area = axisRect();
    return hasLanes()
               ? area.left() + static_cast<double>(token) * area.width() / static_cast<double>(m_data->tokens)
               : area.left();
}

int RoutingLanes::tokenAt(double x) const {
    const QRect area = axisRect();
    if (!hasLanes() || x < area.left() || x >= area.right() + 1)
        return -1;
    const auto token =
        static_cast<std::size_t>((x - area.left()) * static_cast<double>(m_data->tokens) / area.width());
    return static_cast<int>(std::min(token, m_data->tokens - 1));
}

void RoutingLanes::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::current();
    QPainter painter(this);
    painter.fillRect(rect(), theme.paper);
    painter.setFont(Theme::axis());
    if (!hasLanes()) {
        painter.setPen(theme.ink2);
        painter.drawText(rect(), Qt::AlignCenter | Qt::TextWordWrap, m_sentence);
        return;
    }
    const LaneRects lanes = laneRects(axisRect());
    const auto label = [&](const QRect& lane, const QString& text) {
        painter.setPen(theme.ink2);
        const QRect box(4, lane.top(), kLabelWidth - 8, lane.height());
        const int wrapped = Qt::AlignLeft | Qt::AlignVCenter | Qt::TextWordWrap;
        const bool fits = painter.boundingRect(box, wrapped, text).height() <= box.height();
        painter.drawText(box, fits ? wrapped : Qt::AlignLeft | Qt::AlignVCenter,
                         fits ? text : painter.fontMetrics().elidedText(text, Qt::ElideRight, box.width()));
        painter.setPen(theme.divider);
        painter.drawLine(lane.bottomLeft() + QPoint(0, 1), lane.bottomRight() + QPoint(0, 1));
    };
    label(lanes.score, m_data->query ? tr("signal for #%1").arg(*m_data->query)
                       : m_data->scoredQueries == 1
                           ? tr("signal of the last query")
                           : tr("signal, mean of %1 queries").arg(m_data->scoredQueries));
    label(lanes.keys, tr("key role"));
    label(lanes.queries, tr("query role"));
    label(lanes.oracle, tr("oracle"));
    label(lanes.layers, tr("layers 0–%1, heads per token").arg(m_data->layers - 1));
    paintScores(painter, lanes.score);
    paintUses(painter, lanes.keys);
    paintQueryRole(painter, lanes.queries);
    paintOracle(painter, lanes.oracle);
    paintLayers(painter, lanes.layers);

    const auto mark = [&](int token, const QColor& color) {
        if (token < 0 || static_cast<std::size_t>(token) >= m_data->tokens)
            return;
        painter.setPen(QPen(color, 1));
        const double x = xOf(static_cast<std::size_t>(token)) + (xOf(1) - xOf(0)) / 2;
        painter.drawLine(QPointF(x, axisRect().top()), QPointF(x, axisRect().bottom()));
    };
    for (const int pin : m_selection.pins())
        mark(pin, theme.ink);
    mark(m_selection.hovered(), theme.ink3);
}

void RoutingLanes::paintScores(QPainter& painter, const QRect& lane) const {
    const Theme& theme = Theme::current();
    float low = std::numeric_limits<float>::infinity();
    float high = -low;
    for (const float s : m_data->score)
        if (std::isfinite(s)) {
            low = std::min(low, s);
            high = std::max(high, s);
        }
    if (low > high) {
        painter.setPen(theme.ink2);
        painter.drawText(lane, Qt::AlignCenter, tr("no candidates: everything before this query is local"));
        return;
    }
    if (std::isfinite(m_data->threshold)) {
        low = std::min(low, m_data->threshold);
        high = std::max(high, m_data->threshold);
    }
    const float range = std::max(high - low, 1e-9F);
    const auto yOf = [&](float s) {
        const float unit = (s - low) / range; // the better end is on top
        return lane.bottom() - static_cast<double>(unit) * (lane.height() - 3);
    };
    // A pixel column over several tokens shows the best of them.
    const double width = std::max(1.0, xOf(1) - xOf(0));
    const QColor chosen = theme.reasonColor(Reason::Routed);
    const QColor other = theme.ink3;
    for (int pass = 0; pass < 2; ++pass)
        for (std::size_t j = 0; j < m_data->score.size(); ++j) {
            const bool isChosen = m_data->query ? m_data->routed[j] != 0 : m_data->keyUses[j] > 0;
            if (!std::isfinite(m_data->score[j]) || isChosen != (pass == 1))
                continue;
            const double top = yOf(m_data->score[j]);
            painter.fillRect(QRectF(xOf(j), top, width, lane.bottom() - top + 1), isChosen ? chosen : other);
        }
    if (std::isfinite(m_data->threshold)) {
        painter.setPen(QPen(theme.ink, 1, Qt::DashLine));
        const double y = yOf(m_data->threshold);
        painter.drawLine(QPointF(lane.left(), y), QPointF(lane.right(), y));
        // On paper of its own, on the side of the line that has room.
        const QString bar = tr("threshold %1").arg(m_data->threshold, 0, 'g', 3);
        const QFontMetrics metrics(painter.font());
        const double top = y - metrics.height() < lane.top() ? y + 1 : y - metrics.height();
        const QRectF box(lane.left() + 4, top, metrics.horizontalAdvance(bar) + 4, metrics.height());
        painter.fillRect(box, theme.paper);
        painter.drawText(box, Qt::AlignCenter, bar);
    }
}

void RoutingLanes::paintUses(QPainter& painter, const QRect& lane) const {
    const Theme& theme = Theme::current();
    const std::uint32_t most =
        std::max(1U, *std::max_element(m_data->keyUses.begin(), m_data->keyUses.end()));
    const double width = std::max(1.0, xOf(1) - xOf(0));
    for (std::size_t j = 0; j < m_data->tokens; ++j)
        if (m_data->keyUses[j] > 0) {
            const double height =
                2 + (lane.height() - 2.0) * std::sqrt(static_cast<double>(m_data->keyUses[j]) / most);
            painter.fillRect(QRectF(xOf(j), lane.bottom() + 1 - height, width, height),
                             theme.reasonColor(Reason::Routed));
        }
}

void RoutingLanes::paintQueryRole(QPainter& painter, const QRect& lane) const {
    const double width = std::max(1.0, xOf(1) - xOf(0));
    for (std::size_t j = 0; j < m_data->queryRole.size(); ++j)
        if (m_data->queryRole[j])
            painter.fillRect(QRectF(xOf(j), lane.top(), width, lane.height()),
                             Theme::current().reasonColor(Reason::Routed, Role::Queries));
}

void RoutingLanes::paintOracle(QPainter& painter, const QRect& lane) const {
    const Theme& theme = Theme::current();
    if (!m_data->query) {
        painter.setPen(theme.ink2);
        painter.drawText(lane, Qt::AlignLeft | Qt::AlignVCenter,
                         tr("pin a query to compare its choices one by one"));
        return;
    }
    const double cell = std::max(1.0, xOf(1) - xOf(0));
    const double width = std::clamp(cell, 4.0, 10.0);
    for (std::size_t j = 0; j < m_data->tokens; ++j) {
        const bool routed = m_data->routed[j] != 0;
        const bool oracle = m_data->oracle[j] != 0;
        if (!routed && !oracle)
            continue;
        const QRectF box(xOf(j) + cell / 2 - width / 2, lane.top() + 3, width, lane.height() - 6);
        painter.setPen(QPen(theme.reasonColor(Reason::Routed), 1));
        if (routed && oracle) {
            painter.fillRect(box, theme.reasonColor(Reason::Routed));
        } else if (oracle) {
            painter.setBrush(Qt::NoBrush);
            painter.drawRect(box);
        } else {
            painter.drawLine(box.topLeft(), box.bottomRight());
            painter.drawLine(box.bottomLeft(), box.topRight());
        }
    }
}

void RoutingLanes::paintLayers(QPainter& painter, const QRect& lane) const {
    const Theme& theme = Theme::current();
    if (m_data->headsPerCell.empty() || lane.height() < 8) {
        painter.setPen(theme.ink2);
        painter.drawText(lane, Qt::AlignLeft | Qt::AlignVCenter, tr("waits for the propagated run"));
        return;
    }
    const Ramp& ramp = Ramp::weights(theme);
    const int columns = std::max(1, lane.width());
    QImage image(columns, m_data->layers, QImage::Format_RGB32);
    for (int layer = 0; layer < m_data->layers; ++layer)
        for (int x = 0; x < columns; ++x) {
            const auto first =
                static_cast<std::size_t>(x) * m_data->tokens / static_cast<std::size_t>(columns);
            const auto last = std::max(first + 1, static_cast<std::size_t>(x + 1) * m_data->tokens /
                                                      static_cast<std::size_t>(columns));
            std::uint16_t most = 0;
            for (std::size_t j = first; j < std::min(last, m_data->tokens); ++j)
                most = std::max(most,
                                m_data->headsPerCell[static_cast<std::size_t>(layer) * m_data->tokens + j]);
            image.setPixel(x, layer, ramp.at(static_cast<float>(most) / static_cast<float>(m_data->heads)));
        }
    painter.drawImage(lane, image);
    painter.setPen(QPen(theme.ink, 1));
    const double y = lane.top() + (m_data->layer + 0.5) * lane.height() / m_data->layers;
    painter.drawLine(QPointF(lane.left() - 5, y), QPointF(lane.left() - 1, y));
}

void RoutingLanes::mouseMoveEvent(QMouseEvent* event) {
    m_selection.hover(tokenAt(event->position().x()));
}
void RoutingLanes::leaveEvent(QEvent*) {
    m_selection.hover(-1);
}

void RoutingLanes::mousePressEvent(QMouseEvent* event) {
    const int token = tokenAt(event->position().x());
    if (event->button() != Qt::LeftButton || token < 0)
        return;
    if (event->modifiers() & Qt::ShiftModifier)
        m_selection.togglePin(token);
    else
        m_selection.pin(token);
}

bool RoutingLanes::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const int token = tokenAt(help->pos().x());
        if (token < 0 || !m_snapshot) {
            QToolTip::hideText();
            return true;
        }
        const auto j = static_cast<std::size_t>(token);
        QString text = QStringLiteral("#%1 \"%2\"")
                           .arg(token)
                           .arg(QString::fromStdString(displayText(m_snapshot->tokens->pieces[j])));
        if (std::isfinite(m_data->score[j]))
            text += tr("\nsignal %1").arg(m_data->score[j], 0, 'g', 4);
        text += tr("\nread as routed key by %1 queries in L%2 H%3")
                    .arg(m_data->keyUses[j])
                    .arg(m_data->layer)
                    .arg(m_data->head);
        if (m_data->query && (m_data->routed[j] || m_data->oracle[j]))
            text += m_data->routed[j] && m_data->oracle[j]
                        ? tr("\nrouter and oracle choose it for #%1").arg(*m_data->query)
                    : m_data->routed[j] ? tr("\nrouted for #%1, the oracle would not").arg(*m_data->query)
                                        : tr("\nthe oracle would choose it for #%1").arg(*m_data->query);
        QToolTip::showText(help->globalPos(),
                           text.toHtmlEscaped().replace(QLatin1Char('\n'), QLatin1String("<br>")), this);
        return true;
    }
    return QWidget::event(event);
}

} // namespace fovea::ui
