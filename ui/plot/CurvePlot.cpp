#include "ui/plot/CurvePlot.h"
#include "ui/plot/Rescale.h"
#include "ui/plot/Theme.h"
#include <QMouseEvent>
#include <QToolTip>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <limits>
#include <qcustomplot.h>

namespace fovea::ui {

namespace {

constexpr double kLeastLoss = 1e-7;
constexpr double kMostLoss = 100; ///< nats; guessing among a vocabulary costs about 11

constexpr double kReach = 10; // distance in pixels at which a click still hits a mark

QCPScatterStyle scatter(CurveMark mark, const Theme& theme) {
    switch (mark) {
    case CurveMark::Full:
        return {QCPScatterStyle::ssCircle, QPen(theme.armA, 2), QBrush(theme.armA), 10};
    case CurveMark::Front:
        return {QCPScatterStyle::ssCircle, QPen(theme.armB, 1.5), QBrush(theme.armB), 8};
    case CurveMark::Policy:
        return {QCPScatterStyle::ssCircle, QPen(theme.armB, 1.5), QBrush(theme.paper), 8};
    case CurveMark::Random:
        return {QCPScatterStyle::ssCross, QPen(theme.ink3, 1.5), Qt::NoBrush, 7};
    case CurveMark::Oracle:
        return {QCPScatterStyle::ssTriangle, QPen(theme.ink3, 1.5), QBrush(theme.paper), 7};
    case CurveMark::Current:
        return {QCPScatterStyle::ssDiamond, QPen(theme.ink, 2), QBrush(theme.armB), 14};
    case CurveMark::Predicted:
        return {QCPScatterStyle::ssCircle, QPen(theme.ink3, 1), QBrush(theme.paper), 6};
    case CurveMark::PredictedFront:
        return {QCPScatterStyle::ssCircle, QPen(theme.ink2, 1.5), QBrush(theme.paper), 8};
    }
    return {};
}

QString nameOf(CurveMark mark) {
    switch (mark) {
    case CurveMark::Full:
        return CurvePlot::tr("full attention");
    case CurveMark::Front:
        return CurvePlot::tr("on the front");
    case CurveMark::Policy:
        return CurvePlot::tr("beaten");
    case CurveMark::Random:
        return CurvePlot::tr("random router, at its point's cost");
    case CurveMark::Oracle:
        return CurvePlot::tr("oracle, at its point's cost");
    case CurveMark::Current:
        return CurvePlot::tr("policy now");
    case CurveMark::Predicted:
        return CurvePlot::tr("predicted");
    case CurveMark::PredictedFront:
        return CurvePlot::tr("predicted front, with band");
    }
    return {};
}

} // namespace

CurvePlot::CurvePlot(QWidget* parent) : QWidget(parent), m_plot(new QCustomPlot(this)) {
    setObjectName(QStringLiteral("curve.plot"));
    setAccessibleName(tr("Cost versus fidelity"));
    setMinimumSize(240, 96);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(m_plot);
    m_plot->setNoAntialiasingOnDrag(true);
    m_plot->setMouseTracking(true);
    m_plot->installEventFilter(this);
    // The legend stands beside the points, never on them.
    auto* legendColumn = new QCPLayoutGrid;
    m_plot->plotLayout()->addElement(0, 1, legendColumn);
    legendColumn->addElement(0, 0, m_plot->legend);
    legendColumn->setMargins(QMargins(4, 0, 4, 0));
    m_plot->plotLayout()->setColumnStretchFactor(1, 0.0001);
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, &CurvePlot::rebuild);
    rebuild();
}

CurvePlot::~CurvePlot() = default;

void CurvePlot::setAxes(const QString& costLabel, const CurveAxis& fidelity) {
    m_costLabel = costLabel;
    m_axis = fidelity;
    rebuild();
}

void CurvePlot::setPoints(std::vector<CurvePoint> points) {
    m_points = std::move(points);
    rebuild();
}

double CurvePlot::inside(double value) const {
    // A logarithmic axis has no position for "equal", so it is drawn at the last tick, with that label.
    return m_axis.logarithmic ? std::clamp(value, m_lowest, m_highest) : value;
}

double CurvePlot::yOf(const CurvePoint& point) const {
    return inside(point.fidelity);
}

void CurvePlot::rebuild() {
    const Theme& theme = Theme::current();
    m_plot->clearPlottables();
    m_plot->clearItems();
    m_plot->setBackground(QBrush(theme.paper));

    double costMin = 0.05;
    double costMax = 1.5;
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    for (const CurvePoint& p : m_points) {
        if (!std::isfinite(p.cost) || !std::isfinite(p.fidelity) || p.cost <= 0)
            continue;
        costMin = std::min(costMin, p.cost * 0.8);
        costMax = std::max(costMax, p.cost * 1.3);
        if (m_axis.logarithmic && p.fidelity <= 0)
            continue;
        low = std::min(low, p.fidelity);
        high = std::max(high, p.fidelity);
    }
    if (low > high) {
        low = m_axis.logarithmic ? 1e-3 : 0;
        high = 1;
    }
    if (m_axis.logarithmic) {
        // Less than this is rounding, and would press all other points together: it is drawn as equal.
        m_lowest = std::pow(10.0, std::floor(std::log10(std::clamp(low, kLeastLoss, kMostLoss)) - 0.3));
        // A prediction can be any number. More than this stands at the edge.
        m_highest = std::pow(10.0, std::log10(std::clamp(high, kLeastLoss, kMostLoss)) + 0.15);
    } else {
        const double pad =
            std::max(1e-6, (std::max(high, m_axis.equalValue) - std::min(low, m_axis.equalValue)) * 0.08);
        m_lowest = std::min(low, m_axis.equalValue) - pad;
        m_highest = std::max(high, m_axis.equalValue) + pad;
    }

    const auto styleAxis = [&](QCPAxis* axis) {
        axis->setBasePen(QPen(theme.controlEdge));
        axis->setTickPen(QPen(theme.controlEdge));
        axis->setSubTickPen(QPen(theme.divider));
        axis->setTickLabelColor(theme.ink2);
        axis->setLabelColor(theme.ink2);
        axis->setTickLabelFont(Theme::axis());
        axis->setLabelFont(Theme::axis());
        axis->grid()->setPen(QPen(theme.divider, 1, Qt::DotLine));
        axis->grid()->setSubGridVisible(false);
        axis->grid()->setZeroLinePen(Qt::NoPen);
    };
    styleAxis(m_plot->xAxis);
    styleAxis(m_plot->yAxis);

    m_plot->xAxis->setScaleType(QCPAxis::stLogarithmic);
    QSharedPointer<QCPAxisTickerText> costTicks(new QCPAxisTickerText);
    for (const double t : {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0})
        if (t >= costMin && t <= costMax)
            costTicks->addTick(t, t < 1 ? QString::number(t * 100) + QStringLiteral(" %")
                                        : QString::number(t) + QStringLiteral("×"));
    m_plot->xAxis->setTicker(costTicks);
    m_plot->xAxis->setRange(costMin, costMax);

    if (m_axis.logarithmic) {
        m_plot->yAxis->setScaleType(QCPAxis::stLogarithmic);
        QSharedPointer<QCPAxisTickerText> ticks(new QCPAxisTickerText);
        for (double t = m_lowest * 10; t <= m_highest; t *= 10)
            ticks->addTick(t, QString::number(t));
        ticks->addTick(m_lowest, tr("equal"));
        m_plot->yAxis->setTicker(ticks);
    } else {
        m_plot->yAxis->setScaleType(QCPAxis::stLinear);
        m_plot->yAxis->setTicker(QSharedPointer<QCPAxisTicker>(new QCPAxisTicker));
    }
    m_plot->yAxis->setRangeReversed(m_axis.lessIsBetter);
    m_plot->yAxis->setRange(m_lowest, m_highest);

    auto* dearer = new QCPItemRect(m_plot);
    dearer->setPen(Qt::NoPen);
    QColor shade = theme.bad;
    shade.setAlpha(24);
    dearer->setBrush(shade);
    dearer->topLeft->setCoords(1.0, m_axis.lessIsBetter ? m_lowest : m_highest);
    dearer->bottomRight->setCoords(costMax, m_axis.lessIsBetter ? m_highest : m_lowest);
    auto* note = new QCPItemText(m_plot);
    note->setObjectName(QStringLiteral("curve.dearer"));
    note->setFont(Theme::axis());
    note->setColor(theme.ink2);
    note->setRotation(-90);
    note->setPositionAlignment(Qt::AlignBottom | Qt::AlignHCenter);
    note->position->setTypeX(QCPItemPosition::ptPlotCoords);
    note->position->setTypeY(QCPItemPosition::ptAxisRectRatio);
    note->position->setCoords(costMax, 0.5);

    m_plot->legend->setVisible(true);
    m_plot->legend->setFont(Theme::axis());
    m_plot->legend->setTextColor(theme.ink2);
    m_plot->legend->setBrush(theme.paper);
    m_plot->legend->setBorderPen(Qt::NoPen);

    for (const CurveMark mark :
         {CurveMark::Predicted, CurveMark::PredictedFront, CurveMark::Random, CurveMark::Oracle,
          CurveMark::Policy, CurveMark::Front, CurveMark::Full, CurveMark::Current}) {
        QVector<double> x;
        QVector<double> y;
        QVector<double> below, above; // of the band
        for (const CurvePoint& p : m_points)
            if (p.mark == mark && std::isfinite(p.cost) && std::isfinite(p.fidelity) && p.cost > 0) {
                x.append(p.cost);
                y.append(yOf(p));
                const bool band = std::isfinite(p.low) && std::isfinite(p.high);
                below.append(band ? std::max(0.0, yOf(p) - inside(p.low)) : 0);
                above.append(band ? std::max(0.0, inside(p.high) - yOf(p)) : 0);
            }
        if (x.isEmpty())
            continue;
        auto* graph = m_plot->addGraph();
        graph->setName(nameOf(mark));
        graph->setScatterStyle(scatter(mark, theme));
        graph->setLineStyle(QCPGraph::lsNone);
        if (mark == CurveMark::Front) {
            graph->setLineStyle(QCPGraph::lsStepLeft);
            graph->setPen(QPen(theme.ink, scaled(1.5)));
        }
        if (mark == CurveMark::PredictedFront) {
            graph->setLineStyle(QCPGraph::lsStepLeft);
            graph->setPen(QPen(theme.ink3, scaled(1), Qt::DashLine));
            auto* bands = new QCPErrorBars(m_plot->xAxis, m_plot->yAxis);
            bands->removeFromLegend();
            bands->setObjectName(QStringLiteral("curve.bands"));
            bands->setAntialiased(false);
            bands->setPen(QPen(theme.ink3, 1));
            bands->setWhiskerWidth(5);
            bands->setSymbolGap(8);
            bands->setDataPlottable(graph);
            bands->setData(below, above);
        }
        graph->setData(x, y, false);
    }
    fitLabels();
    m_plot->replot(QCustomPlot::rpQueuedReplot);
}

void CurvePlot::fitLabels() {
    const QFontMetrics metrics(Theme::axis());
    const auto longest = [&](const QStringList& wordings, int room) {
        for (const QString& wording : wordings)
            if (metrics.horizontalAdvance(wording) <= room)
                return wording;
        return QString();
    };
    // What is written upwards has the height between the borders of the plot; below it stand ticks and label.
    const int foot = 2 * metrics.height() + 16;
    const QString first = m_axis.label.section(QLatin1Char(','), 0, 0);
    m_plot->yAxis->setLabel(m_axis.label.isEmpty()
                                ? QString()
                                : longest({m_axis.label + tr(", up is better"), m_axis.label,
                                           first + tr(", up is better"), first},
                                          height() - foot));
    if (auto* note = m_plot->findChild<QCPItemText*>(QStringLiteral("curve.dearer")))
        note->setText(longest({tr("dearer than full"), tr("dearer")}, height() - foot));
    m_plot->xAxis->setLabel(
        m_costLabel.isEmpty()
            ? QString()
            : longest({m_costLabel + tr(", share of full"), m_costLabel}, std::max(0, width() - 160)));
}

QPointF CurvePlot::positionOf(int id) const {
    for (const CurvePoint& p : m_points)
        if (p.id == id)
            return {m_plot->xAxis->coordToPixel(p.cost), m_plot->yAxis->coordToPixel(yOf(p))};
    return {};
}

int CurvePlot::pointAt(QPointF position) const {
    int best = -1;
    double bestDistance = kReach * kReach;
    for (std::size_t i = 0; i < m_points.size(); ++i) {
        const CurvePoint& p = m_points[i];
        if (!std::isfinite(p.cost) || !std::isfinite(p.fidelity) || p.cost <= 0)
            continue;
        const double dx = m_plot->xAxis->coordToPixel(p.cost) - position.x();
        const double dy = m_plot->yAxis->coordToPixel(yOf(p)) - position.y();
        if (dx * dx + dy * dy < bestDistance) {
            bestDistance = dx * dx + dy * dy;
            best = static_cast<int>(i);
        }
    }
    return best;
}

bool CurvePlot::eventFilter(QObject* watched, QEvent* event) {
    if (watched != m_plot)
        return QWidget::eventFilter(watched, event);
    if (event->type() == QEvent::MouseMove) {
        const auto* mouse = static_cast<QMouseEvent*>(event);
        const int index = pointAt(mouse->position());
        if (index >= 0 && m_tip)
            QToolTip::showText(mouse->globalPosition().toPoint(),
                               m_tip(m_points[static_cast<std::size_t>(index)].id)
                                   .toHtmlEscaped()
                                   .replace(QLatin1Char('\n'), QLatin1String("<br>")),
                               m_plot);
        else
            QToolTip::hideText();
        m_plot->setCursor(index >= 0 && m_points[static_cast<std::size_t>(index)].id >= 0
                              ? Qt::PointingHandCursor
                              : Qt::ArrowCursor);
    } else if (event->type() == QEvent::MouseButtonRelease) {
        const auto* mouse = static_cast<QMouseEvent*>(event);
        const int index = mouse->button() == Qt::LeftButton ? pointAt(mouse->position()) : -1;
        if (index >= 0 && m_points[static_cast<std::size_t>(index)].id >= 0)
            emit clicked(m_points[static_cast<std::size_t>(index)].id);
    }
    return QWidget::eventFilter(watched, event);
}

void CurvePlot::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    fitLabels();
    m_plot->replot(QCustomPlot::rpQueuedReplot);
}

QPixmap CurvePlot::picture(double scale) const {
    return m_plot->toPixmap(m_plot->width(), m_plot->height(), scale);
}

} // namespace fovea::ui
