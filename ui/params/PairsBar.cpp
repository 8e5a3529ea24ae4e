#include "ui/params/PairsBar.h"
#include "ui/plot/Rescale.h"
#include "ui/plot/Theme.h"
#include <QPainter>
#include <QPainterPath>
#include <QResizeEvent>
#include <algorithm>

namespace fovea::ui {

namespace {

constexpr int kSwatch = 14; ///< with the space behind it

int lineHeight() {
    return qRound(scaled(18));
}
int barHeight() {
    return qRound(scaled(16));
}

struct Part {
    QString name;
    double pairs = 0;
    QColor colour;
    bool hatched = false; ///< work that is not pairs: multiply-adds / 2D
    bool shownAtZero = true;
};

std::array<Part, 6> parts(const PairsByReason& p) {
    const Theme& theme = Theme::current();
    return {Part{QStringLiteral("local"), static_cast<double>(p.pairs[0]), theme.reason[0]},
            Part{QStringLiteral("always"), static_cast<double>(p.pairs[1]), theme.reason[1]},
            Part{QStringLiteral("routed"), static_cast<double>(p.pairs[2]), theme.reason[2]},
            Part{QStringLiteral("far"), static_cast<double>(p.pairs[3]), theme.reason[3], false, false},
            Part{QStringLiteral("state"), p.statePairs, theme.reason[3], true, false},
            Part{QStringLiteral("router"), p.routerPairs, theme.ink2, true}};
}

bool isListed(const Part& part) {
    return part.shownAtZero || part.pairs > 0;
}

QString percent(double share) {
    const double x = share * 100;
    return QStringLiteral("%1 %").arg(x, 0, 'f', x < 10 ? 2 : 1);
}

QString label(const Part& part, const PairsByReason& pairs) {
    return QStringLiteral("%1 %2").arg(part.name, percent(part.pairs / static_cast<double>(pairs.fullPairs)));
}

/// Two where the labels of all listed parts fit beside each other, else one.
int columnsFor(const PairsByReason& pairs, int width) {
    const QFontMetrics metrics(Theme::second());
    for (const Part& part : parts(pairs))
        if (isListed(part) &&
            metrics.horizontalAdvance(label(part, pairs)) > width / 2 - qRound(scaled(kSwatch)))
            return 1;
    return 2;
}

/// A line of two texts; where both have no room the second one is shortened.
void drawEnds(QPainter& painter, const QRect& line, const QFont& font, const QColor& ink, const QString& left,
              const QString& right) {
    painter.drawText(line, Qt::AlignLeft | Qt::AlignVCenter, left);
    const int room = line.width() - painter.fontMetrics().horizontalAdvance(left) - 8;
    painter.setFont(font);
    painter.setPen(ink);
    painter.drawText(line, Qt::AlignRight | Qt::AlignVCenter,
                     painter.fontMetrics().elidedText(right, Qt::ElideRight, std::max(room, 0)));
}

double sumOf(const PairsByReason& pairs) {
    double sum = 0;
    for (const Part& part : parts(pairs))
        sum += part.pairs;
    return sum;
}

int remarkHeight(const PairsByReason& pairs, int width) {
    return QFontMetrics(Theme::second())
        .boundingRect(QRect(0, 0, std::max(width, 100), 1000), Qt::TextWordWrap, pairs.remark)
        .height();
}

} // namespace

QString PairsByReason::share() const {
    const double times = sumOf(*this) / static_cast<double>(fullPairs);
    if (times >= 10) // a router on a text of a few tokens
        return QStringLiteral("%1 times %2")
            .arg(times, 0, 'f', 0)
            .arg(partOfRows ? QStringLiteral("these rows") : QStringLiteral("full"));
    return QStringLiteral("%1 of %2")
        .arg(percent(times), partOfRows ? QStringLiteral("these rows") : QStringLiteral("full"));
}

PairsBar::PairsBar(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("params.pairs"));
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, [this] {
        updateGeometry();
        update();
    });
}

QSize PairsBar::sizeHint() const {
    int listed = 4, columns = 2;
    if (m_pairs) {
        const auto all = parts(*m_pairs);
        listed = static_cast<int>(std::count_if(all.begin(), all.end(), isListed));
        columns = columnsFor(*m_pairs, width());
    }
    const int remark = m_pairs && !m_pairs->remark.isEmpty() ? remarkHeight(*m_pairs, width()) : 0;
    return {200, lineHeight() * (2 + (listed + columns - 1) / columns) + barHeight() + 12 + remark};
}

void PairsBar::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    if (event->size().width() != event->oldSize().width())
        updateGeometry();
}

void PairsBar::show(const std::optional<PairsByReason>& pairs, const QString& whyNone) {
    m_pairs = pairs;
    m_whyNone = whyNone;
    setAccessibleName(sentence());
    setToolTip(sentence());
    updateGeometry(); // a far field or a state takes a line of the list
    update();
}

QString PairsBar::sentence() const {
    if (!m_pairs || m_pairs->fullPairs == 0)
        return m_whyNone;
    QStringList names;
    for (const Part& part : parts(*m_pairs))
        if (part.pairs > 0)
            names << label(part, *m_pairs);
    const QString counts = QStringLiteral("Pairs, %1: %2, counted (%3)")
                               .arg(m_pairs->over, m_pairs->share(), names.join(QLatin1String(", ")));
    return m_pairs->remark.isEmpty() ? counts : counts + QStringLiteral(". ") + m_pairs->remark;
}

void PairsBar::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::current();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setFont(Theme::section());
    painter.setPen(theme.ink);
    const int lineHigh = lineHeight();
    int y = 0;
    drawEnds(painter, QRect(0, y, width(), lineHigh), Theme::second(), theme.ink2,
             QStringLiteral("Pairs by reason"), m_pairs ? m_pairs->over : QString());
    y += lineHigh + 2;
    const QRectF bar(0.5, y + 0.5, width() - 1, barHeight() - 1);
    painter.setPen(theme.controlEdge);
    painter.setBrush(theme.paper);
    painter.drawRect(bar);
    y += barHeight() + 4;
    if (!m_pairs || m_pairs->fullPairs == 0) {
        painter.setPen(theme.ink2);
        painter.drawText(QRect(0, y, width(), lineHigh * 2), Qt::AlignLeft | Qt::AlignTop | Qt::TextWordWrap,
                         m_whyNone);
        return;
    }
    const double full = static_cast<double>(m_pairs->fullPairs);
    const auto all = parts(*m_pairs);
    const double sum = sumOf(*m_pairs);
    const double scale =
        (bar.width() - 1) / std::max(full, sum); // dearer than full: the bar is the sum, a tick marks full
    double x = bar.left() + 0.5;
    painter.setPen(Qt::NoPen);
    for (const Part& part : all) {
        const QRectF piece(x, bar.top() + 0.5, part.pairs * scale, bar.height() - 1);
        painter.setBrush(part.hatched ? QBrush(part.colour, Qt::Dense5Pattern) : QBrush(part.colour));
        painter.drawRect(piece);
        x += piece.width();
    }
    if (sum > full) {
        painter.setPen(QPen(theme.ink, 1.5));
        const double tick = bar.left() + full * scale;
        painter.drawLine(QPointF(tick, bar.top() - 3), QPointF(tick, bar.bottom() + 3));
    }
    painter.setPen(m_pairs->old ? theme.ink3 : theme.ink);
    painter.setFont(Theme::body());
    drawEnds(painter, QRect(0, y, width(), lineHigh), Theme::second(), theme.ink2, m_pairs->share(),
             m_pairs->old ? QStringLiteral("counted, updating") : QStringLiteral("counted"));
    y += lineHigh;
    // Columns of swatch, name, share.
    const int columns = columnsFor(*m_pairs, width()), space = qRound(scaled(kSwatch));
    int index = 0;
    for (const Part& part : all) {
        if (!isListed(part))
            continue;
        const int left = index % columns * (width() / columns), top = y + index / columns * lineHigh;
        painter.setPen(Qt::NoPen);
        painter.setBrush(part.hatched ? QBrush(part.colour, Qt::Dense5Pattern) : QBrush(part.colour));
        painter.drawRect(QRectF(left, top + scaled(4), scaled(10), scaled(10)));
        painter.setPen(theme.ink2);
        painter.drawText(QRect(left + space, top, width() / columns - space, lineHigh),
                         Qt::AlignLeft | Qt::AlignVCenter, label(part, *m_pairs));
        ++index;
    }
    if (m_pairs->remark.isEmpty())
        return;
    y += (index + columns - 1) / columns * lineHigh;
    painter.setPen(m_pairs->old ? theme.ink3 : theme.ink);
    painter.drawText(QRect(0, y, width(), height() - y), Qt::AlignLeft | Qt::AlignTop | Qt::TextWordWrap,
                     m_pairs->remark);
}

} // namespace fovea::ui
