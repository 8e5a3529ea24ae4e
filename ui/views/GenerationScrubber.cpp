#include "ui/views/GenerationScrubber.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/Theme.h"
#include "ui/views/GenerationText.h"
#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

namespace fovea::ui {

namespace {

constexpr int kInset = 8, kKlHeight = 16, kTickTop = 20, kTickHeight = 14;
constexpr double kWidestTick = 14;
constexpr double kKlLow = 1e-4, kKlHigh = 10; // ends of the bars, log: absolute, so that runs compare

} // namespace

GenerationScrubber::GenerationScrubber(GenerationController& generation, QWidget* parent)
    : QWidget(parent), m_generation(generation) {
    setObjectName(QStringLiteral("generate.scrubber"));
    setAccessibleName(tr("Steps of the generated text"));
    setFocusPolicy(Qt::StrongFocus);
    setCursor(Qt::PointingHandCursor);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    const auto refresh = [this] {
        setAccessibleDescription(sentence());
        update();
    };
    connect(&m_generation, &GenerationController::changed, this, refresh);
    connect(&m_generation, &GenerationController::stepChanged, this, refresh);
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, qOverload<>(&QWidget::update));
}

double GenerationScrubber::pitch() const {
    const double steps = static_cast<double>(std::max<std::size_t>(m_generation.steps().size(), 1));
    return std::min(kWidestTick, (width() - 2.0 * kInset) / steps);
}

QRectF GenerationScrubber::tickRect(std::size_t step) const {
    const double p = pitch();
    const double gap = p > 6 ? 2 : p > 3 ? 1 : 0;
    return {kInset + static_cast<double>(step) * p, kTickTop, std::max(1.0, p - gap), kTickHeight};
}

int GenerationScrubber::stepAt(double x) const {
    const int last = static_cast<int>(m_generation.steps().size()) - 1;
    return last < 0 ? -1 : std::clamp(static_cast<int>((x - kInset) / pitch()), 0, last);
}

QString GenerationScrubber::sentence() const {
    const std::size_t steps = m_generation.steps().size();
    if (steps == 0)
        return tr("no step yet");
    QString text = tr("%1 steps").arg(steps);
    if (m_generation.step() >= 0)
        text = tr("step +%1 of %2").arg(m_generation.step()).arg(steps);
    if (m_generation.divergence())
        text += tr(", first difference at +%1").arg(*m_generation.divergence());
    return text;
}

void GenerationScrubber::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::current();
    QPainter painter(this);
    painter.fillRect(rect(), theme.panel);
    painter.setFont(Theme::axis());
    const auto& steps = m_generation.steps();
    const auto klUnit = [](double kl) {
        return kl <= kKlLow ? 0.0 : std::min(1.0, std::log(kl / kKlLow) / std::log(kKlHigh / kKlLow));
    };
    for (const GenerationStep& step : steps) {
        const QRectF tick = tickRect(step.step);
        if (step.kl) {
            const double height = 1 + klUnit(*step.kl) * (kKlHeight - 1);
            painter.fillRect(QRectF(tick.left(), 2 + kKlHeight - height, tick.width(), height), theme.ink3);
        }
        const bool differs = step.differs();
        painter.fillRect(tick, differs ? theme.armB : theme.paper);
        if (tick.width() >= 3) {
            painter.setPen(differs ? theme.armB : theme.controlEdge);
            painter.setBrush(Qt::NoBrush);
            painter.drawRect(tick.adjusted(0.5, 0.5, -0.5, -0.5));
        } else if (!differs) {
            painter.fillRect(QRectF(tick.left(), tick.bottom() - 1, tick.width(), 1), theme.controlEdge);
        }
    }
    painter.setPen(theme.ink2);
    const QRect line(kInset, kTickTop + kTickHeight + 3, width() - 2 * kInset, 14);
    if (steps.empty()) {
        painter.drawText(rect().adjusted(kInset, 0, -kInset, 0), Qt::AlignVCenter | Qt::TextWordWrap,
                         tr("One tick per generated token, filled where A and B chose differently."));
    } else {
        QString said = sentence();
        const int at = m_generation.step();
        if (at >= 0)
            if (const auto& kl = steps[static_cast<std::size_t>(at)].kl)
                said += tr(", KL %1 nats").arg(threeDigits(*kl));
        said += QStringLiteral("   ") + tr("bars: KL, %1 to %2, log").arg(kKlLow).arg(kKlHigh);
        painter.drawText(line, Qt::AlignLeft | Qt::AlignVCenter,
                         painter.fontMetrics().elidedText(said, Qt::ElideRight, line.width()));
        if (at >= 0) {
            const QRectF tick = tickRect(static_cast<std::size_t>(at)).adjusted(-1.5, -1.5, 1.5, 1.5);
            painter.setBrush(Qt::NoBrush);
            painter.setPen(QPen(theme.paper, 4));
            painter.drawRect(tick);
            painter.setPen(QPen(theme.ink, 2));
            painter.drawRect(tick);
        }
    }
    if (hasFocus()) {
        painter.setPen(QPen(theme.accent, 2));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(rect().adjusted(1, 1, -1, -1));
    }
}

void GenerationScrubber::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton || m_generation.steps().empty())
        return;
    m_generation.setPlaying(false);
    m_generation.choose(stepAt(event->position().x()));
}

void GenerationScrubber::mouseMoveEvent(QMouseEvent* event) {
    if (event->buttons() & Qt::LeftButton && !m_generation.steps().empty())
        m_generation.choose(stepAt(event->position().x()));
}

void GenerationScrubber::keyPressEvent(QKeyEvent* event) {
    if (!stepByKey(m_generation, *event))
        QWidget::keyPressEvent(event);
}

bool GenerationScrubber::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip && !m_generation.steps().empty()) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const auto step = static_cast<std::size_t>(stepAt(help->pos().x()));
        QString text = m_generation.steps()[step].differs() ? tr("step +%1: A and B chose differently")
                                                            : tr("step +%1: A and B chose the same token");
        text = text.arg(step);
        if (const auto& kl = m_generation.steps()[step].kl)
            text += tr("\nKL of the two distributions %1 nats").arg(threeDigits(*kl));
        else
            text += tr("\nno KL: the arms have read different texts since +%1")
                        .arg(m_generation.divergence().value_or(0));
        QToolTip::showText(help->globalPos(), plainTip(text), this);
        return true;
    }
    return QWidget::event(event);
}

} // namespace fovea::ui
