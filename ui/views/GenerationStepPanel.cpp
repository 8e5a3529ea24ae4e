#include "ui/views/GenerationStepPanel.h"
#include "core/text/Display.h"
#include "ui/plot/MapFacts.h"
#include "ui/plot/MapRaster.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/Theme.h"
#include "ui/views/TokenCanvas.h"
#include <QHelpEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>
#include <numeric>

namespace fovea::ui {

namespace {

constexpr double kPanelSide = 8, kLine = 18, kGap = 12;
constexpr double kCandidates = 280; ///< width of both lists
constexpr double kRowLine = 16, kBar = 10;
constexpr double kArm = 2 * kRowLine + kBar + 4;  ///< title, row, weightiest keys
constexpr double kLeastGrid = 24, kMostLayer = 8; ///< height of the caches, and of one layer's line

QString armName(bool full) {
    return full ? QStringLiteral("A") : QStringLiteral("B");
}

QString shown(const std::string& piece, std::size_t characters = 14) {
    return QString::fromStdString(displayText(piece, characters));
}

const std::shared_ptr<const GeneratedToken>& tokenOf(const GenerationStep& step, bool full) {
    return full ? step.full : step.hybrid;
}

/// A weight's place on the absolute log scale of the maps.
float unitOf(float weight) {
    return weight <= kNearZero ? 0 : std::min(1.0F, std::log(weight / kNearZero) / std::log(1 / kNearZero));
}

/// The keys that weigh most, first.
std::vector<std::size_t> heaviest(const ReadRow& row, std::size_t count) {
    std::vector<std::size_t> order(row.weight.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    count = std::min(count, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                      [&](std::size_t a, std::size_t b) {
                          return row.weight[a] > row.weight[b] || (row.weight[a] == row.weight[b] && a > b);
                      });
    order.resize(count);
    return order;
}

bool isRead(ReadKind kind) {
    return kind != ReadKind::Skipped && kind != ReadKind::OutsideNative && kind != ReadKind::AfterQuery &&
           kind != ReadKind::NotRun;
}

} // namespace

std::shared_ptr<const TokenTint> rowTint(const GenerationController& generation, bool full) {
    const auto& reads = generation.reads();
    if (!reads || generation.step() != static_cast<int>(reads->step))
        return nullptr;
    const std::optional<ReadRow>& row = full ? reads->full : reads->hybrid;
    if (!row || !generation.source())
        return nullptr;
    auto tint = std::make_shared<TokenTint>();
    tint->logarithmic = true;
    tint->low = kNearZero;
    tint->high = 1;
    const std::size_t tokens = generation.source()->tokens->size();
    tint->value.assign(row->weight.begin(), row->weight.begin() + static_cast<std::ptrdiff_t>(tokens));
    for (std::size_t t = 0; t < tokens; ++t)
        tint->state.push_back(!isRead(row->kind[t])        ? TintState::Skipped
                              : std::isnan(row->weight[t]) ? TintState::None
                              : row->weight[t] < kNearZero ? TintState::NearZero
                                                           : TintState::Value);
    tint->caption = QObject::tr("read by %1 before +%2 (#%3), L%4 H%5")
                        .arg(armName(full))
                        .arg(reads->step)
                        .arg(row->query)
                        .arg(reads->layer)
                        .arg(reads->head);
    return tint;
}

GenerationStepPanel::GenerationStepPanel(GenerationController& generation, QWidget* parent)
    : QWidget(parent), m_generation(generation) {
    setObjectName(QStringLiteral("generate.step"));
    setAccessibleName(tr("The chosen step"));
    const auto refresh = [this] {
        setAccessibleDescription(sentence());
        update();
    };
    connect(&m_generation, &GenerationController::changed, this, refresh);
    connect(&m_generation, &GenerationController::stepChanged, this, refresh);
    connect(&m_generation, &GenerationController::readsChanged, this, refresh);
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, qOverload<>(&QWidget::update));
}

QString GenerationStepPanel::head() const {
    const int at = m_generation.step();
    if (at < 0)
        return m_generation.steps().empty() ? QString() : tr("Choose a step: click a word or a tick.");
    const GenerationStep& step = m_generation.steps()[static_cast<std::size_t>(at)];
    const Tokenizer& tokenizer = *m_generation.source()->model->tokenizer;
    const auto wrote = [&](bool full) {
        const auto& token = tokenOf(step, full);
        return token ? tr("%1 writes \"%2\" (p %3)")
                           .arg(armName(full), shown(tokenizer.piece(token->id)),
                                threeDigits(token->probability))
                     : tr("%1 had ended").arg(armName(full));
    };
    QString text = tr("+%1: ").arg(at);
    if (!step.differs() && step.full)
        text += tr("both write \"%1\" (A p %2, B p %3)")
                    .arg(shown(tokenizer.piece(step.full->id)), threeDigits(step.full->probability),
                         threeDigits(step.hybrid->probability));
    else
        text += wrote(true) + QStringLiteral(", ") + wrote(false);
    if (step.kl)
        text += tr("; KL %1 nats").arg(threeDigits(*step.kl));
    else
        text += tr("; they read different texts since +%1").arg(m_generation.divergence().value_or(0));
    return text;
}

bool GenerationStepPanel::readsAreOld() const {
    return m_generation.step() != static_cast<int>(m_generation.reads()->step);
}

QString GenerationStepPanel::marked(const QString& title) const {
    return readsAreOld() ? tr("of +%1: %2").arg(m_generation.reads()->step).arg(title) : title;
}

QString GenerationStepPanel::rowTitle(bool full) const {
    const auto& reads = m_generation.reads();
    const std::optional<ReadRow>& row = full ? reads->full : reads->hybrid;
    if (!row)
        return m_generation.prompt().noRows.empty() ? tr("%1: no row at this step.").arg(armName(full))
                                                    : QString::fromStdString(m_generation.prompt().noRows);
    const GenerationArm arm = full ? GenerationArm::Full : GenerationArm::Hybrid;
    return tr("%1: #%2 \"%3\" reads %4 of %5 keys, L%6 H%7")
        .arg(armName(full))
        .arg(row->query)
        .arg(shown(m_generation.pieceAt(arm, row->query)))
        .arg(row->read)
        .arg(row->weight.size())
        .arg(reads->layer)
        .arg(reads->head);
}

QString GenerationStepPanel::cacheTitle() const {
    const auto& reads = m_generation.reads();
    const auto at = static_cast<std::size_t>(reads->layer);
    if (at >= reads->hybridCaches.size())
        return {};
    const CacheCount& count = reads->hybridCaches[at];
    QString text = tr("B's caches, L%1: %2 stored, %3 dropped, %4 read")
                       .arg(reads->layer)
                       .arg(count.stored)
                       .arg(count.dropped)
                       .arg(count.read);
    if (count.farField)
        text += tr(", a far field for the rest");
    if (at < reads->fullCaches.size())
        text += tr(" (A stores %1)").arg(reads->fullCaches[at].stored);
    return text;
}

QString GenerationStepPanel::sentence() const {
    QStringList parts{head()};
    if (const auto& reads = m_generation.reads(); reads && !readsAreOld()) {
        for (const bool full : {true, false}) {
            QString line = rowTitle(full);
            if (const std::optional<ReadRow>& row = full ? reads->full : reads->hybrid) {
                const GenerationArm arm = full ? GenerationArm::Full : GenerationArm::Hybrid;
                for (const std::size_t key : heaviest(*row, 5))
                    line += tr(", #%1 \"%2\" %3")
                                .arg(key)
                                .arg(shown(m_generation.pieceAt(arm, key)),
                                     threeDigits(static_cast<double>(row->weight[key])));
            }
            parts << line;
        }
        parts << cacheTitle();
    }
    parts.removeAll(QString());
    return parts.join(QLatin1Char('\n'));
}

GenerationStepPanel::Places GenerationStepPanel::places() const {
    const double top = kPanelSide / 2 + kLine + 2;
    const double width = std::min(kCandidates, (this->width() - 3 * kPanelSide) * 0.45);
    Places p;
    p.candidates = {kPanelSide, top, width, height() - top - 4};
    const double left = kPanelSide + width + kGap;
    p.rows = {left, top, this->width() - left - kPanelSide, 2 * kArm};
    p.caches = {left, p.rows.bottom(), p.rows.width(), height() - p.rows.bottom() - 4};
    return p;
}

QRectF GenerationStepPanel::cacheGrid() const {
    const QRectF area = places().caches;
    const auto& reads = m_generation.reads();
    const double most = reads ? kMostLayer * static_cast<double>(reads->hybridCacheStates.size()) : 0;
    return {area.left(), area.top() + kRowLine, area.width(), std::min(most, area.height() - kRowLine)};
}

void GenerationStepPanel::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::current();
    QPainter painter(this);
    painter.fillRect(rect(), theme.paper);
    if (m_generation.step() < 0) {
        painter.setFont(Theme::body());
        painter.setPen(theme.ink2);
        const QString text = m_generation.steps().empty()
                                 ? tr("Each step will show here: what A and B could write, what they read, "
                                      "and what their caches still held.")
                                 : head();
        painter.drawText(rect().adjusted(12, 8, -12, -8), Qt::AlignCenter | Qt::TextWordWrap, text);
        return;
    }
    painter.setFont(Theme::section());
    painter.setPen(m_generation.isOld() ? theme.ink2 : theme.ink);
    const QRectF line(kPanelSide, kPanelSide / 2, width() - 2 * kPanelSide, kLine);
    painter.drawText(
        line, Qt::AlignLeft | Qt::AlignVCenter,
        painter.fontMetrics().elidedText(head(), Qt::ElideRight, static_cast<int>(line.width())));
    const Places at = places();
    paintCandidates(painter, at.candidates);
    painter.setFont(Theme::second());
    if (!m_generation.reads()) {
        painter.setPen(theme.ink2);
        const QString why =
            !m_generation.prompt().noRows.empty() ? QString::fromStdString(m_generation.prompt().noRows)
            : m_generation.running() ? tr("What was read is shown for a chosen step: click a word.")
                                     : tr("reading the row");
        painter.drawText(QRectF(at.rows.left(), at.rows.top(), at.rows.width(), at.caches.bottom()),
                         Qt::AlignLeft | Qt::AlignTop | Qt::TextWordWrap, why);
        return;
    }
    // Rows of the step before stay until the new ones are there, faded and named.
    painter.setOpacity(readsAreOld() ? 0.45 : 1);
    paintRow(painter, {at.rows.left(), at.rows.top(), at.rows.width(), kArm}, true);
    paintRow(painter, {at.rows.left(), at.rows.top() + kArm, at.rows.width(), kArm}, false);
    paintCaches(painter, at.caches);
}

void GenerationStepPanel::paintCandidates(QPainter& painter, const QRectF& area) const {
    const double half = (area.width() - kGap) / 2;
    paintArmCandidates(painter, {area.left(), area.top(), half, area.height()}, true);
    paintArmCandidates(painter, {area.left() + half + kGap, area.top(), half, area.height()}, false);
}

void GenerationStepPanel::paintArmCandidates(QPainter& painter, const QRectF& area, bool full) const {
    const Theme& theme = Theme::current();
    const GenerationStep& step = m_generation.steps()[static_cast<std::size_t>(m_generation.step())];
    const auto& token = tokenOf(step, full);
    painter.setFont(Theme::second());
    painter.setPen(theme.ink2);
    painter.drawText(QRectF(area.left(), area.top(), area.width(), kLine), Qt::AlignLeft | Qt::AlignVCenter,
                     token ? tr("%1 could write").arg(armName(full)) : tr("%1 had ended").arg(armName(full)));
    if (!token)
        return;
    painter.setFont(Theme::mono());
    const QFontMetricsF metrics(painter.font());
    const double number = metrics.horizontalAdvance(QStringLiteral("0.00123")) + 4;
    const QColor bar = full ? theme.armA : theme.armB;
    double y = area.top() + kLine;
    const auto row = [&](const TokenCandidate& c) {
        const QRectF line(area.left(), y, area.width(), kLine - 1);
        QColor tint = bar;
        tint.setAlphaF(0.25F);
        painter.fillRect(QRectF(line.left(), line.top(), line.width() * c.probability, line.height()), tint);
        const bool chosen = c.id == token->id;
        if (chosen) {
            painter.setPen(QPen(bar, 2));
            painter.setBrush(Qt::NoBrush);
            painter.drawRect(line.adjusted(1, 1, -1, -1));
        }
        painter.setPen(theme.ink);
        const std::string piece = m_generation.source()->model->tokenizer->piece(c.id);
        painter.drawText(line.adjusted(6, 0, -number - 4, 0), Qt::AlignLeft | Qt::AlignVCenter,
                         metrics.elidedText(shown(piece, 20), Qt::ElideRight, line.width() - number - 12));
        painter.drawText(line.adjusted(0, 0, -5, 0), Qt::AlignRight | Qt::AlignVCenter,
                         threeDigits(c.probability));
        y += kLine;
    };
    const auto room = static_cast<std::size_t>(std::max(0.0, (area.bottom() - y) / kLine));
    const bool listed = std::any_of(token->candidates.begin(), token->candidates.end(),
                                    [&](const TokenCandidate& c) { return c.id == token->id; });
    const std::size_t count = std::min(token->candidates.size(), room - (listed || room == 0 ? 0 : 1));
    for (std::size_t i = 0; i < count; ++i)
        row(token->candidates[i]);
    if (!listed && room > 0)
        row({token->id, token->probability}); // drawn from further down
}

void GenerationStepPanel::paintRow(QPainter& painter, const QRectF& area, bool full) const {
    const Theme& theme = Theme::current();
    const auto& reads = m_generation.reads();
    const std::optional<ReadRow>& row = full ? reads->full : reads->hybrid;
    painter.setFont(Theme::second());
    painter.setPen(theme.ink);
    painter.drawText(QRectF(area.left(), area.top(), area.width(), kRowLine),
                     Qt::AlignLeft | Qt::AlignVCenter,
                     painter.fontMetrics().elidedText(marked(rowTitle(full)), Qt::ElideRight,
                                                      static_cast<int>(area.width())));
    if (!row)
        return;
    // A pixel over several keys shows the heaviest of them.
    const QRectF bar(area.left(), area.top() + kRowLine, area.width(), kBar);
    const auto columns = static_cast<std::size_t>(std::max(1.0, bar.width()));
    const std::size_t keys = reads->tokens();
    const Ramp& ramp = Ramp::weights(theme);
    painter.fillRect(bar, theme.paper);
    paintTintState(painter, TintState::Skipped, {}, bar);
    for (std::size_t x = 0; x < columns; ++x) {
        const std::size_t first = x * keys / columns;
        const std::size_t last = std::max(first + 1, (x + 1) * keys / columns);
        float most = -1;
        for (std::size_t key = first; key < std::min(last, row->weight.size()); ++key)
            if (isRead(row->kind[key]))
                most = std::max(most, row->weight[key]);
        if (most >= 0)
            painter.fillRect(QRectF(bar.left() + static_cast<double>(x), bar.top(), 1, bar.height()),
                             QColor::fromRgb(ramp.at(unitOf(most))));
        else if (first >= row->weight.size())
            painter.fillRect(QRectF(bar.left() + static_cast<double>(x), bar.top(), 1, bar.height()),
                             theme.impossible);
    }
    painter.setPen(theme.divider);
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(bar.adjusted(0.5, 0.5, -0.5, -0.5));
    // The weightiest keys, as many as fit.
    painter.setFont(Theme::mono());
    const QFontMetricsF metrics(painter.font());
    const GenerationArm arm = full ? GenerationArm::Full : GenerationArm::Hybrid;
    double x = area.left();
    for (const std::size_t key : heaviest(*row, 16)) {
        if (!(row->weight[key] > 0))
            break;
        QString text = QStringLiteral("#%1 %2 %3")
                           .arg(key)
                           .arg(shown(m_generation.pieceAt(arm, key), 10),
                                threeDigits(static_cast<double>(row->weight[key])));
        if (!full)
            text += QLatin1Char(' ') +
                    shortReason(row->kind[key], key < row->router.size() ? row->router[key] : RouterFacts{});
        const double wide = metrics.horizontalAdvance(text) + 6;
        if (x + wide > area.right())
            break;
        const QRectF chip(x, bar.bottom() + 1, wide, kRowLine - 1);
        const QColor fill = QColor::fromRgb(ramp.at(unitOf(row->weight[key])));
        painter.fillRect(chip, fill);
        painter.setPen(onColor(fill.rgb()));
        painter.drawText(chip, Qt::AlignCenter, text);
        x += wide + 3;
    }
}

void GenerationStepPanel::paintCaches(QPainter& painter, const QRectF& area) const {
    const Theme& theme = Theme::current();
    const auto& reads = m_generation.reads();
    if (reads->hybridCacheStates.empty() || area.height() < kRowLine + kLeastGrid)
        return;
    const QRectF grid = cacheGrid();
    painter.fillRect(grid, theme.paper);
    paintTintState(painter, TintState::Skipped, {}, grid);
    const std::size_t layers = reads->hybridCacheStates.size();
    const auto columns = static_cast<std::size_t>(std::max(1.0, grid.width()));
    const std::size_t keys = reads->tokens();
    const QColor stored = QColor::fromRgb(blended(theme.paper.rgb(), theme.ink3.rgb(), 0.35F));
    for (std::size_t layer = 0; layer < layers; ++layer) {
        const auto& states = reads->hybridCacheStates[layer];
        const double top =
            grid.top() + grid.height() * static_cast<double>(layer) / static_cast<double>(layers);
        const double bottom =
            grid.top() + grid.height() * static_cast<double>(layer + 1) / static_cast<double>(layers);
        // Runs of equal state, so that a layer costs a few rectangles.
        const auto stateAt = [&](std::size_t x) {
            const std::size_t first = x * keys / columns;
            const std::size_t last = std::max(first + 1, (x + 1) * keys / columns);
            CacheState most = CacheState::Dropped;
            for (std::size_t key = first; key < std::min(last, states.size()); ++key)
                most = std::max(most, states[key]);
            return most;
        };
        for (std::size_t x = 0; x < columns;) {
            const CacheState state = stateAt(x);
            std::size_t end = x + 1;
            while (end < columns && stateAt(end) == state)
                ++end;
            if (state != CacheState::Dropped)
                painter.fillRect(QRectF(grid.left() + static_cast<double>(x), top,
                                        static_cast<double>(end - x), bottom - top),
                                 state == CacheState::Read ? theme.armB : stored);
            x = end;
        }
    }
    painter.setPen(theme.divider);
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(grid.adjusted(0.5, 0.5, -0.5, -0.5));
    const double middle = grid.top() + grid.height() * (reads->layer + 0.5) / static_cast<double>(layers);
    painter.setPen(QPen(theme.ink, 2));
    painter.drawLine(QPointF(grid.left() - 6, middle), QPointF(grid.left() - 1, middle));
    // One line above: what the colours mean, then the numbers of the selected layer.
    painter.setFont(Theme::axis());
    double x = area.left();
    const auto item = [&](const QString& text, const QColor& fill, bool hatched) {
        const QRectF swatch(x, area.top() + 3, 12, 10);
        painter.fillRect(swatch, theme.paper);
        if (hatched)
            paintTintState(painter, TintState::Skipped, {}, swatch);
        else
            painter.fillRect(swatch, fill);
        painter.setPen(theme.divider);
        painter.drawRect(swatch.adjusted(0.5, 0.5, -0.5, -0.5));
        painter.setPen(theme.ink2);
        const double wide = painter.fontMetrics().horizontalAdvance(text);
        painter.drawText(QRectF(x + 16, area.top(), wide + 2, kRowLine), Qt::AlignLeft | Qt::AlignVCenter,
                         text);
        x += 16 + wide + 10;
    };
    item(tr("read"), theme.armB, false);
    item(tr("stored"), stored, false);
    item(tr("dropped"), {}, true);
    painter.setPen(theme.ink);
    const QRectF rest(x, area.top(), area.right() - x, kRowLine);
    painter.drawText(rest, Qt::AlignLeft | Qt::AlignVCenter,
                     painter.fontMetrics().elidedText(marked(cacheTitle()), Qt::ElideRight,
                                                      static_cast<int>(rest.width())));
}

bool GenerationStepPanel::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip || m_generation.step() < 0 || !m_generation.reads())
        return QWidget::event(event);
    const auto* help = static_cast<QHelpEvent*>(event);
    const QRectF grid = cacheGrid(), rows = places().rows;
    const auto& reads = m_generation.reads();
    const std::size_t keys = reads->tokens();
    const QPointF at = help->pos();
    if (keys == 0 || at.x() < grid.left() || at.x() >= grid.right()) {
        QToolTip::hideText();
        return true;
    }
    const auto key =
        static_cast<std::size_t>((at.x() - grid.left()) * static_cast<double>(keys) / grid.width());
    QString text = tr("#%1 \"%2\"").arg(key).arg(shown(m_generation.pieceAt(GenerationArm::Hybrid, key)));
    if (grid.contains(at) && !reads->hybridCacheStates.empty()) {
        const auto layer = static_cast<std::size_t>(
            (at.y() - grid.top()) * static_cast<double>(reads->hybridCacheStates.size()) / grid.height());
        const auto& states = reads->hybridCacheStates[std::min(layer, reads->hybridCacheStates.size() - 1)];
        if (key < states.size())
            text += tr("\nlayer %1: %2")
                        .arg(layer)
                        .arg(states[key] == CacheState::Read     ? tr("stored and read")
                             : states[key] == CacheState::Stored ? tr("stored, not read for this token")
                                                                 : tr("dropped from the cache"));
    } else if (rows.contains(at)) {
        const bool full = at.y() < rows.top() + kArm;
        const std::optional<ReadRow>& row = full ? reads->full : reads->hybrid;
        if (row && key < row->weight.size())
            text += tr("\n%1: weight %2, %3")
                        .arg(armName(full), threeDigits(static_cast<double>(row->weight[key])),
                             shortReason(row->kind[key],
                                         key < row->router.size() ? row->router[key] : RouterFacts{}));
    } else {
        QToolTip::hideText();
        return true;
    }
    QToolTip::showText(help->globalPos(), plainTip(marked(text)), this);
    return true;
}

} // namespace fovea::ui
