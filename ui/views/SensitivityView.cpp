#include "ui/views/SensitivityView.h"
#include "core/policy/PolicyTitle.h"
#include "ui/plot/ElidedLabel.h"
#include "ui/plot/Theme.h"
#include "ui/plot/TornadoPlot.h"
#include "ui/views/CurveView.h"
#include <QHBoxLayout>
#include <QPushButton>
#include <QVBoxLayout>
#include <limits>

namespace fovea::ui {

namespace {

const std::string kSensitivityKey = "tune.sensitivity";

QString valueText(const ParamSpec* spec, const ParamValue& value) {
    return spec != nullptr ? QString::fromStdString(formatParam(*spec, value)) : QString();
}

std::optional<TornadoStep> tornadoStep(const Sensitivity& row, const std::optional<SensitivityStep>& step) {
    if (!step)
        return {};
    const auto factor = [](double to, double from) {
        return from > 0 ? to / from : to > 0 ? std::numeric_limits<double>::infinity() : 1;
    };
    return TornadoStep{valueText(findParam(row.param), step->value), factor(step->pairsRatio, row.pairsAt),
                       factor(step->predicted.kl.value, row.klAt)};
}

} // namespace

SensitivityView::SensitivityView(ViewContext context, CurveView& curve, QWidget* parent)
    : QWidget(parent), m_context(context), m_curve(curve), m_start(new QPushButton(tr("Sensitivity of B"))),
      m_state(new ElidedLabel), m_plot(new TornadoPlot) {
    setObjectName(QStringLiteral("tune.sensitivity"));
    m_start->setObjectName(QStringLiteral("tune.sensitivity.start"));
    m_start->setToolTip(tr("Moves each parameter of B one step down and up, and predicts what that costs and "
                           "loses. The model is not run."));
    m_state->setObjectName(QStringLiteral("tune.sensitivity.state"));
    m_state->setFont(Theme::second());
    m_state->setMinimumWidth(80);
    auto* line = new QHBoxLayout;
    line->setSpacing(8);
    line->addWidget(m_start);
    line->addWidget(m_state, 1);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(8, 4, 8, 4);
    column->setSpacing(4);
    column->addLayout(line);
    column->addWidget(m_plot, 1);
    connect(m_start, &QPushButton::clicked, this, &SensitivityView::start);
    connect(&curve, &CurveView::pointsChanged, this, &SensitivityView::refresh);
    connect(&context.requests, &RequestModel::requestChanged, this, [this] {
        if (m_of && m_context.runs.standing(*m_of) == Standing::OtherRun) {
            m_context.runs.drop(kSensitivityKey);
            m_found.reset();
            m_of.reset();
            m_said.clear();
        }
        refresh();
    });
    refresh();
}

void SensitivityView::start() {
    const Tuning* tuning = m_curve.tuning();
    const SnapshotPtr now = m_context.runs.snapshot();
    if (m_running || tuning == nullptr || !tuning->predicts() || !now || !now->full)
        return;
    m_running = true;
    m_said.clear();
    m_of = idOf(*now);
    m_policy = m_context.requests.request().policy;
    m_context.runs.fetch<Rows>(
        this, {kSensitivityKey, Urgency::Background, {}},
        [now, policy = m_policy, calibration = tuning->calibrations.front()](const WorkContext& work) {
            return sensitivity(*now, policy, calibration,
                               sampleRows(now->tokens->size(), TuneOptions().sampledRows), work);
        },
        [this](Result<Rows> rows) { finish(std::move(rows)); });
    refresh();
}

void SensitivityView::finish(Result<Rows> rows) {
    m_running = false;
    if (rows && m_of)
        m_found = std::move(*rows);
    else if (!rows && rows.error().code != ErrorCode::Cancelled)
        m_said = QString::fromStdString(rows.error().message);
    refresh();
}

void SensitivityView::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    refresh();
}

void SensitivityView::refresh() {
    const Tuning* tuning = m_curve.tuning();
    const SnapshotPtr now = m_context.runs.snapshot();
    const bool calibrated = tuning != nullptr && tuning->predicts();
    m_start->setEnabled(calibrated && !m_running && m_curve.canSearch());
    if (!isVisible()) // the rest is made when it is shown
        return;
    std::vector<TornadoRow> rows;
    if (m_found)
        for (const Sensitivity& one : *m_found)
            rows.push_back({QString::fromStdString(one.param), valueText(findParam(one.param), one.at),
                            tornadoStep(one, one.down), tornadoStep(one, one.up), one.doesNothing()});
    m_plot->setRows(std::move(rows));
    QString text;
    if (m_running)
        text = tr("moving each parameter of B");
    else if (!m_said.isEmpty())
        text = m_said;
    else if (m_found && m_found->empty())
        text = tr("no parameter has an effect under %1").arg(QString::fromStdString(policyTitle(m_policy)));
    else if (m_found)
        text =
            (sameButName(m_policy, m_context.requests.request().policy) ? tr("of %1") : tr("earlier, of %1"))
                .arg(QString::fromStdString(policyTitle(m_policy)));
    else
        text = calibrated ? tr("which parameters matter on this text")
                          : tr("press Predict or Find first: their runs calibrate it");
    m_state->setText(text);
    m_state->setToolTip(text);
}

} // namespace fovea::ui
