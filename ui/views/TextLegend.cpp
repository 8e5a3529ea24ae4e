#include "ui/views/TextLegend.h"
#include "ui/plot/Rescale.h"
#include "ui/plot/Theme.h"
#include "ui/views/TokenCanvas.h"
#include "ui/views/TokenMarks.h"
#include <QFontMetricsF>
#include <QPainter>
#include <cmath>

namespace fovea::ui {

namespace {
constexpr double kSide = 8, kGap = 14, kRampWidth = 96, kSwatch = 16;

int rowHeight() {
    return qRound(scaled(18));
}
} // namespace

TextLegend::TextLegend(QWidget* parent) : QWidget(parent) {
    QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, [this] {
        setFixedHeight(heightForWidth(width()));
        update();
    });
}

void TextLegend::show(std::shared_ptr<const TokenTint> tint, bool marks, int query) {
    m_tint = std::move(tint);
    m_marks = marks;
    m_query = query;
    setAccessibleName(sentence());
    updateGeometry();
    setFixedHeight(heightForWidth(width()));
    update();
}

std::vector<TextLegend::Item> TextLegend::items() const {
    std::vector<Item> list;
    if (m_tint && !m_tint->wait.isEmpty()) {
        list.push_back({Item::Kind::Text, m_tint->wait, TintState::None, 0, true});
    } else if (m_tint) {
        const TokenTint& tint = *m_tint;
        QString caption = tint.caption;
        if (tint.from != 0)
            caption += tr(", from r%1").arg(tint.from);
        list.push_back({Item::Kind::Text, caption, TintState::None, 0, tint.from != 0});
        list.push_back({Item::Kind::Ramp, {}, TintState::Value, 0, tint.from != 0});
        const auto has = [&](TintState state) {
            return std::find(tint.state.begin(), tint.state.end(), state) != tint.state.end();
        };
        if (has(TintState::NearZero) && tint.logarithmic)
            list.push_back({Item::Kind::State, tr("below 0.0001"), TintState::NearZero, 0, false});
        if (has(TintState::Skipped))
            list.push_back({Item::Kind::State, tr("not routed"), TintState::Skipped, 0, false});
        if (has(TintState::Impossible))
            list.push_back({Item::Kind::State,
                            tint.kind == TintKind::GivenToSelected ? tr("before it") : tr("after it"),
                            TintState::Impossible, 0, false});
    }
    if (m_marks) {
        const QString whom = m_query < 0 ? tr("routed for any query") : tr("routed for #%1").arg(m_query);
        list.push_back({Item::Kind::Mark, tr("sink or pinned"), TintState::None, AlwaysMark, false});
        list.push_back({Item::Kind::Mark, whom, TintState::None, KeyMark, false});
        list.push_back({Item::Kind::Mark, tr("reads everything"), TintState::None, QueryMark, false});
    }
    return list;
}

QString TextLegend::sentence() const {
    QStringList parts;
    for (const Item& item : items()) {
        if (item.kind == Item::Kind::Ramp)
            parts << tr("%1 to %2").arg(lowEnd(), highEnd());
        else
            parts << item.text;
    }
    return parts.join(QStringLiteral("; "));
}

QString TextLegend::lowEnd() const {
    const QString number = threeDigits(static_cast<double>(m_tint->low));
    return m_tint->clipped && m_tint->isSigned ? tr("%1 or less").arg(number) : number;
}

QString TextLegend::highEnd() const {
    QString text = threeDigits(static_cast<double>(m_tint->high));
    if (m_tint->clipped)
        text = tr("%1 or more").arg(text);
    if (m_tint->logarithmic)
        text += tr(" log");
    if (m_tint->moreIsWorse)
        text += tr(" (worse)");
    return m_tint->relative ? text + tr(" relative to row") : text;
}

double TextLegend::widthOf(const Item& item) const {
    const QFontMetricsF metrics(Theme::axis());
    switch (item.kind) {
    case Item::Kind::Text:
        return metrics.horizontalAdvance(item.text);
    case Item::Kind::State:
        return kSwatch + 4 + metrics.horizontalAdvance(item.text);
    case Item::Kind::Mark:
        return 10 + metrics.horizontalAdvance(item.text);
    case Item::Kind::Ramp:
        break;
    }
    return metrics.horizontalAdvance(lowEnd()) + 4 + kRampWidth + 4 + metrics.horizontalAdvance(highEnd());
}

int TextLegend::rowsFor(int width) const {
    double x = kSide;
    int rows = 1;
    for (const Item& item : items()) {
        const double wide = widthOf(item);
        if (x > kSide && x + wide > width - kSide) {
            ++rows;
            x = kSide;
        }
        x += wide + kGap;
    }
    return rows;
}

int TextLegend::heightForWidth(int width) const {
    return rowsFor(std::max(width, 120)) * rowHeight() + 2;
}

QSize TextLegend::sizeHint() const {
    return {400, heightForWidth(std::max(width(), 400))};
}

QSize TextLegend::minimumSizeHint() const {
    return {120, rowHeight() + 2};
}

void TextLegend::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    setFixedHeight(heightForWidth(width()));
}

void TextLegend::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setFont(Theme::axis());
    double x = kSide, top = 1;
    for (const Item& item : items()) {
        const double wide = widthOf(item);
        if (x > kSide && x + wide > width() - kSide) {
            x = kSide;
            top += rowHeight();
        }
        paintItem(painter, item, x, top);
        x += wide + kGap;
    }
}

void TextLegend::paintItem(QPainter& painter, const Item& item, double x, double top) const {
    const Theme& theme = Theme::current();
    const QFontMetricsF metrics(painter.font());
    const int row = rowHeight();
    const double baseline = top + (row + metrics.ascent() - metrics.descent()) / 2;
    painter.setPen(item.second ? theme.ink2 : theme.ink);
    switch (item.kind) {
    case Item::Kind::Text:
        painter.drawText(QPointF(x, baseline), item.text);
        return;
    case Item::Kind::Mark:
        paintTokenMark(painter, item.mark, {x + 3, top + row / 2.0}, 6);
        painter.drawText(QPointF(x + 10, baseline), item.text);
        return;
    case Item::Kind::State: {
        const QRectF swatch(x, top + 3, kSwatch, row - 6);
        painter.fillRect(swatch, theme.paper);
        QColor zero = QColor::fromRgb(Ramp::weights(theme).at(0));
        paintTintState(painter, item.state, zero, swatch);
        if (item.state == TintState::NearZero) {
            painter.save();
            painter.setRenderHint(QPainter::Antialiasing);
            painter.setBrush(theme.ink3);
            painter.setPen(Qt::NoPen);
            painter.drawEllipse(QPointF(swatch.center().x(), swatch.bottom() - 2), 0.9, 0.9);
            painter.restore();
        }
        painter.setPen(QPen(theme.divider, 1));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(swatch.adjusted(0.5, 0.5, -0.5, -0.5));
        painter.setPen(theme.ink);
        painter.drawText(QPointF(x + kSwatch + 4, baseline), item.text);
        return;
    }
    case Item::Kind::Ramp:
        break;
    }
    const QString low = lowEnd();
    painter.drawText(QPointF(x, baseline), low);
    x += metrics.horizontalAdvance(low) + 4;
    for (int column = 0; column < static_cast<int>(kRampWidth); ++column)
        painter.fillRect(QRectF(x + column, top + 3, 1, row - 6),
                         m_tint->colorAt(static_cast<float>(column) / static_cast<float>(kRampWidth - 1)));
    painter.setPen(QPen(theme.controlEdge, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(QRectF(x, top + 3, kRampWidth, row - 6).adjusted(0.5, 0.5, -0.5, -0.5));
    painter.setPen(item.second ? theme.ink2 : theme.ink);
    painter.drawText(QPointF(x + kRampWidth + 4, baseline), highEnd());
}

} // namespace fovea::ui
