#include "ui/plot/TornadoPlot.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/Rescale.h"
#include "ui/plot/Theme.h"
#include <QHelpEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

namespace fovea::ui {

namespace {

constexpr int kTornadoGap = 12;
double tornadoHead() {
    return scaled(20);
}
double leastTornadoRow() {
    return scaled(18);
}
constexpr double kLeastSpan = 0.0953; ///< ln 1.1, so that small changes look small
constexpr double kMostSpan = 2.303;   ///< ln 10: a step that leaves no loss would press all others together

QColor stepColour(bool up) {
    return up ? Theme::current().accent : Theme::current().ink3;
}

} // namespace

TornadoPlot::TornadoPlot(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("tune.tornado"));
    setAccessibleName(tr("Sensitivity"));
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, [this] {
        updateGeometry(); // rows follow the type
        update();
    });
}

void TornadoPlot::setRows(std::vector<TornadoRow> rows) {
    m_rows = std::move(rows);
    QStringList words;
    for (const TornadoRow& row : m_rows)
        words << wordsOf(row);
    setAccessibleDescription(words.join(QLatin1Char('\n')));
    update();
}

QString TornadoPlot::wordsOf(const TornadoRow& row) const {
    if (row.doesNothing)
        return tr("%1 %2: does nothing on this text").arg(row.name, row.at);
    QString words = row.name + QLatin1Char(' ') + row.at;
    for (const auto& step : {row.down, row.up})
        if (step)
            words += std::isinf(step->loss)
                         ? tr("\n%1: pairs x%2, predicted KL no longer 0")
                               .arg(step->value, threeDigits(step->cost))
                         : tr("\n%1: pairs x%2, predicted KL x%3")
                               .arg(step->value, threeDigits(step->cost), threeDigits(step->loss));
    return words;
}

QSize TornadoPlot::minimumSizeHint() const {
    return {260, qCeil(tornadoHead() + 4 * leastTornadoRow())};
}

double TornadoPlot::rowHeight() const {
    const double room = height() - tornadoHead();
    return std::clamp(room / std::max<double>(1, static_cast<double>(m_rows.size())), leastTornadoRow(),
                      scaled(26));
}

std::size_t TornadoPlot::shown() const {
    const auto room =
        static_cast<std::size_t>(std::max(0.0, (height() - tornadoHead()) / rowHeight() + 1e-9));
    // The last row says how many are left out.
    return m_rows.size() <= room ? m_rows.size() : std::max<std::size_t>(room, 1) - 1;
}

QRectF TornadoPlot::area(bool loss) const {
    const double names = std::min(150.0, width() * 0.34);
    const double each = (width() - names - 2 * kTornadoGap) / 2;
    return {names + kTornadoGap + (loss ? each + kTornadoGap : 0), tornadoHead(), each,
            height() - tornadoHead()};
}

double TornadoPlot::span(bool loss) const {
    double most = kLeastSpan;
    for (const TornadoRow& row : m_rows)
        for (const auto& step : {row.down, row.up})
            if (step && !row.doesNothing)
                if (const double factor = loss ? step->loss : step->cost; factor > 0 && std::isfinite(factor))
                    most = std::max(most, std::abs(std::log(factor)));
    return std::min(most, kMostSpan);
}

QRectF TornadoPlot::bar(std::size_t row, bool up, bool loss) const {
    if (row >= shown() || m_rows[row].doesNothing)
        return {};
    const std::optional<TornadoStep>& step = up ? m_rows[row].up : m_rows[row].down;
    if (!step)
        return {};
    const QRectF box = area(loss);
    const double factor = loss ? step->loss : step->cost;
    const double most = span(loss);
    const double change = factor > 0 ? std::clamp(std::log(factor), -most, most) : -most;
    const double half = rowHeight() / 2;
    const double top = box.top() + static_cast<double>(row) * rowHeight() + (up ? half : 1);
    const double middle = box.center().x(), end = middle + change / most * box.width() / 2;
    return QRectF(std::min(middle, end), top, std::max(1.0, std::abs(end - middle)), half - 2);
}

void TornadoPlot::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const Theme& theme = Theme::current();
    painter.fillRect(rect(), theme.paper);
    painter.setFont(Theme::axis());
    if (m_rows.empty())
        return;
    for (const bool loss : {false, true}) {
        const QRectF box = area(loss);
        painter.setPen(theme.ink2);
        const QString end = threeDigits(std::exp(span(loss)));
        QString words; // the longest wording that is not cut
        for (const QString& one :
             loss ? QStringList{tr("predicted KL: / %1 to x %1"), tr("KL to x %1"), tr("KL")}
                  : QStringList{tr("estimated pairs: / %1 to x %1"), tr("pairs to x %1"), tr("pairs")}) {
            words = one.contains(QLatin1String("%1")) ? one.arg(end) : one;
            if (painter.fontMetrics().horizontalAdvance(words) <= box.width())
                break;
        }
        painter.drawText(QRectF(box.left(), 0, box.width(), tornadoHead()), Qt::AlignCenter, words);
        painter.setPen(theme.divider);
        painter.drawLine(QPointF(box.center().x(), box.top()), QPointF(box.center().x(), box.bottom()));
    }
    if (shown() < m_rows.size()) {
        painter.setPen(theme.ink2);
        painter.drawText(
            QRectF(4, tornadoHead() + static_cast<double>(shown()) * rowHeight(), width() - 4.0, rowHeight()),
            Qt::AlignVCenter | Qt::AlignLeft,
            tr("%1 more: make this panel higher").arg(m_rows.size() - shown()));
    }
    double x = 4; // which colour is which step
    for (const bool up : {false, true}) {
        const QString word = up ? tr("step up") : tr("step down");
        painter.fillRect(QRectF(x, tornadoHead() / 2 - 4, 8, 8), stepColour(up));
        painter.setPen(theme.ink2);
        painter.drawText(QRectF(x + 12, 0, width(), tornadoHead()), Qt::AlignVCenter | Qt::AlignLeft, word);
        x += 20 + painter.fontMetrics().horizontalAdvance(word);
    }
    for (std::size_t n = 0; n < shown(); ++n) {
        const TornadoRow& row = m_rows[n];
        const QRectF name(4, tornadoHead() + static_cast<double>(n) * rowHeight(),
                          area(false).left() - kTornadoGap, rowHeight());
        painter.setPen(row.doesNothing ? theme.ink2 : theme.ink);
        painter.drawText(name, Qt::AlignVCenter | Qt::AlignLeft,
                         painter.fontMetrics().elidedText(row.name + QLatin1Char(' ') + row.at,
                                                          Qt::ElideRight, static_cast<int>(name.width())));
        if (row.doesNothing) {
            painter.drawText(
                QRectF(area(false).left(), name.top(), width() - area(false).left(), rowHeight()),
                Qt::AlignVCenter | Qt::AlignLeft, tr("does nothing on this text"));
            continue;
        }
        for (const bool up : {false, true})
            for (const bool loss : {false, true})
                if (const QRectF box = bar(n, up, loss); !box.isEmpty()) {
                    painter.fillRect(box, stepColour(up));
                    const TornadoStep& step = up ? *row.up : *row.down;
                    const double factor = loss ? step.loss : step.cost;
                    if (factor > 0 && std::abs(std::log(factor)) <= span(loss) + 1e-9)
                        continue;
                    const bool less = factor < 1; // beyond the end
                    const double end = less ? box.left() : box.right(), tip = less ? -6 : 6;
                    painter.setPen(Qt::NoPen);
                    painter.setBrush(stepColour(up));
                    painter.drawPolygon(
                        QPolygonF({QPointF(end, box.top() - 1), QPointF(end, box.bottom() + 1),
                                   QPointF(end + tip, box.center().y())}));
                }
    }
}

bool TornadoPlot::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const auto row =
            static_cast<std::size_t>(std::max(0.0, (help->pos().y() - tornadoHead()) / rowHeight()));
        if (help->pos().y() >= tornadoHead() && row < shown())
            QToolTip::showText(help->globalPos(), plainTip(wordsOf(m_rows[row])), this);
        else
            QToolTip::hideText();
        return true;
    }
    return QWidget::event(event);
}

} // namespace fovea::ui
