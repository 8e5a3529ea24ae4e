#include "ui/views/CurveView.h"
#include "core/export/Report.h"
#include "core/files/AtomicFile.h"
#include "ui/plot/CurvePlot.h"
#include "ui/plot/ElidedLabel.h"
#include "ui/plot/Theme.h"
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QToolButton>
#include <QVBoxLayout>
#include <cmath>

namespace fovea::ui {

namespace {

enum CostMeasure { PairsCost, FlopsCost, SecondsCost };
enum FidelityMeasure { KlMeasure, Top1Measure, DeltaNllMeasure, OutputErrorMeasure, KeptMassMeasure };

constexpr int kCurrentId = -2;
/// A longer text than this is swept only when asked: its grid takes many minutes.
constexpr std::size_t kAutomaticTokens = 1024;

/// Ignores what the grid itself varies: two policies with the same answer share their points.
AttentionPolicy gridBase(AttentionPolicy policy) {
    policy.name.clear();
    policy.local.window = 0;
    policy.routed.budget = 0;
    return policy;
}

bool sameFullRun(const SnapshotPtr& a, const SnapshotPtr& b) {
    return a && b && a->full && b->full && a->full->hidden == b->full->hidden;
}

} // namespace

CurveView::CurveView(ViewContext context, QWidget* parent)
    : QWidget(parent), m_context(context), m_cost(new QComboBox), m_fidelity(new QComboBox),
      m_start(new QPushButton), m_cancel(new QToolButton), m_copy(new QToolButton), m_save(new QToolButton),
      m_state(new ElidedLabel), m_plot(new CurvePlot) {
    setObjectName(QStringLiteral("curve.view"));
    m_cost->setObjectName(QStringLiteral("curve.cost"));
    m_cost->setAccessibleName(tr("Cost"));
    m_cost->addItems({tr("pairs, counted, router included"), tr("flops, counted"), tr("seconds, measured")});
    m_fidelity->setObjectName(QStringLiteral("curve.fidelity"));
    m_fidelity->setAccessibleName(tr("Fidelity"));
    m_fidelity->addItems(
        {tr("next-token KL"), tr("top-1 agreement"), tr("loss change"), tr("output error"), tr("kept mass")});
    for (QComboBox* box :
         {m_cost, m_fidelity}) { // as narrow as the dock may be; the list shows the whole name
        box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
        box->setMinimumContentsLength(12);
    }
    m_start->setObjectName(QStringLiteral("curve.start"));
    m_start->setText(tr("Sweep"));
    m_cancel->setObjectName(QStringLiteral("curve.cancel"));
    m_cancel->setText(tr("Cancel sweep"));
    m_copy->setObjectName(QStringLiteral("curve.copy"));
    m_copy->setText(tr("Copy command"));
    m_copy->setToolTip(tr("Copies the command line that measures the policy now set"));
    m_save->setObjectName(QStringLiteral("curve.save"));
    m_save->setText(tr("Save CSV"));
    for (QToolButton* button : {m_cancel, m_copy, m_save})
        button->setMinimumHeight(24);
    m_state->setObjectName(QStringLiteral("curve.state"));
    m_state->setFont(Theme::second()); // one line: a wrapped one would take the plot's height
    m_state->setMinimumWidth(80);

    auto* bar = new QHBoxLayout;
    bar->setSpacing(8);
    bar->addWidget(m_cost);
    bar->addWidget(m_fidelity);
    bar->addWidget(m_start);
    bar->addWidget(m_cancel);
    bar->addWidget(m_copy);
    bar->addWidget(m_save);
    bar->addWidget(m_state, 1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 4, 8, 4);
    layout->setSpacing(4);
    layout->addLayout(bar);
    layout->addWidget(m_plot, 1);

    m_plot->setTip([this](int id) { return tip(id); });
    connect(m_plot, &CurvePlot::clicked, this, &CurveView::loadPoint);
    connect(m_cost, &QComboBox::currentIndexChanged, this, &CurveView::refresh);
    connect(m_fidelity, &QComboBox::currentIndexChanged, this, &CurveView::refresh);
    connect(m_start, &QPushButton::clicked, this, &CurveView::startSweep);
    connect(m_cancel, &QToolButton::clicked, this, [this] { m_context.runs.cancelNewest(); });
    connect(m_copy, &QToolButton::clicked, this, [this] {
        QApplication::clipboard()->setText(
            QStringLiteral("fovea analyze FILE ") +
            QString::fromStdString(policyToOptions(m_context.requests.request().policy)));
    });
    connect(m_save, &QToolButton::clicked, this, &CurveView::exportNumbers);
    connect(&m_context.runs, &RunController::snapshotChanged, this, &CurveView::onSnapshot);
    connect(&m_context.runs, &RunController::updatingChanged, this, &CurveView::updateState);
    connect(&m_context.runs, &RunController::sweepPointDone, this, [this](int, int) {
        m_running = true;
        refresh();
    });
    connect(&m_context.runs, &RunController::sweepFinished, this,
            [this](bool cancelled, const QString& error) {
                m_running = false;
                m_problem = cancelled ? tr("sweep cancelled, its points stay") : error;
                refresh();
            });
    connect(&m_context.requests, &RequestModel::requestChanged, this, &CurveView::updateState);
    refresh();
}

SweepPlan CurveView::plan(const AttentionPolicy& base, std::size_t tokens) {
    SweepPlan plan;
    plan.base = base;
    if (!plan.base.routed.on()) {
        plan.base.routed = presetPolicy("default")->routed;
        plan.base.routed.budget = 0;
    }
    plan.base.routed.budgetKind = BudgetKind::Count;
    SweepAxis windows{"window", {}};
    for (std::int64_t w = 16; w <= 1024 && static_cast<std::size_t>(w) < tokens; w *= 2)
        windows.values.emplace_back(w);
    if (windows.values.empty())
        windows.values.emplace_back(std::int64_t{4});
    SweepAxis counts{"route-count", {}};
    for (const std::int64_t c : {0, 8, 32, 128})
        if (c == 0 || static_cast<std::size_t>(c) < tokens)
            counts.values.emplace_back(c);
    plan.axes = {windows, counts};
    return plan;
}

void CurveView::startSweep() {
    const SnapshotPtr now = m_context.runs.snapshot();
    if (!now || !now->full || !now->full->complete)
        return;
    m_problem.clear();
    m_running = true;
    m_base = gridBase(m_context.requests.request().policy);
    m_context.runs.startSweep(plan(m_context.requests.request().policy, now->tokens->size()));
    refresh();
}

void CurveView::onSnapshot() {
    const SnapshotPtr now = m_context.runs.snapshot();
    // The curve fills itself once per text and model, after the answer the user is waiting for.
    if (now && now->final && now->propagated && now->tokens && now->tokens->size() <= kAutomaticTokens &&
        now->tokens->size() > 16 && !sameFullRun(now, m_autoSource)) {
        m_autoSource = now;
        startSweep();
        return;
    }
    refresh();
}

double CurveView::costOf(const Cost& cost) const {
    switch (m_cost->currentIndex()) {
    case FlopsCost:
        return cost.flopsRatio;
    case SecondsCost:
        return cost.secondsRatio.value_or(std::nan(""));
    default:
        return cost.pairsRatio;
    }
}

double CurveView::fidelityOf(const PropagatedFidelity& f, double massRecall, double outputError) const {
    switch (m_fidelity->currentIndex()) {
    case Top1Measure:
        return f.top1Agreement;
    case DeltaNllMeasure:
        return f.deltaNll;
    case OutputErrorMeasure:
        return outputError;
    case KeptMassMeasure:
        return massRecall;
    default:
        return f.nextTokenKl;
    }
}

CurveAxis CurveView::axis() const {
    switch (m_fidelity->currentIndex()) {
    case Top1Measure:
        return {tr("top-1 agreement"), false, false, 1};
    case DeltaNllMeasure:
        return {tr("loss change, nats"), false, true, 0};
    case OutputErrorMeasure:
        return {tr("output error, isolated"), true, true, 0};
    case KeptMassMeasure:
        return {tr("kept mass, isolated"), false, false, 1};
    default:
        return {tr("next-token KL, nats"), true, true, 0};
    }
}

void CurveView::refresh() {
    const SnapshotPtr now = m_context.runs.lastComplete();
    std::vector<CurvePoint> points;
    const std::vector<SweepPoint>& sweep = m_context.runs.sweepPoints();
    const bool current = sameFullRun(m_context.runs.sweepSource(), m_context.runs.snapshot());
    if (current) {
        for (std::size_t i = 0; i < sweep.size(); ++i) {
            const SweepPoint& p = sweep[i];
            const CurveMark mark = p.kind == PointKind::RandomControl   ? CurveMark::Random
                                   : p.kind == PointKind::OracleControl ? CurveMark::Oracle
                                   : p.pareto                           ? CurveMark::Front
                                                                        : CurveMark::Policy;
            points.push_back({costOf(p.cost), fidelityOf(p.fidelity, p.massRecall, p.outputError), mark,
                              static_cast<int>(i)});
        }
    }
    const CurveAxis axisNow = axis();
    if (now && now->propagated) {
        points.push_back({1.0, axisNow.equalValue, CurveMark::Full, -1});
        const double mass = now->isolated ? now->isolated->massRecall : std::nan("");
        const double error = now->isolated ? now->isolated->outputError : std::nan("");
        points.push_back({costOf(now->propagated->cost), fidelityOf(now->propagated->fidelity, mass, error),
                          CurveMark::Current, kCurrentId});
    }
    m_plot->setAxes(m_cost->currentText(), axisNow);
    m_plot->setPoints(std::move(points));
    updateState();
}

void CurveView::updateState() {
    const SnapshotPtr now = m_context.runs.snapshot();
    const bool ready = now && now->full && now->full->complete;
    const std::size_t runs =
        ready ? sweepPolicies(plan(m_context.requests.request().policy, now->tokens->size()))
                    .transform([](const auto& list) { return list.size(); })
                    .value_or(0)
              : 0;
    m_start->setEnabled(ready && !m_running);
    m_cancel->setVisible(m_running);
    m_save->setEnabled(!m_context.runs.sweepPoints().empty());
    QString text;
    if (m_running) {
        text = tr("sweeping window and routed count: %1 of %2 runs")
                   .arg(m_context.runs.sweepPoints().size())
                   .arg(runs);
    } else if (!m_problem.isEmpty()) {
        text = m_problem;
    } else if (!ready) {
        text = tr("waits for the full run");
    } else if (m_context.runs.sweepPoints().empty() || !sameFullRun(m_context.runs.sweepSource(), now)) {
        // An honest guess: each point is one hybrid run, and the full run on this text took so long.
        const double seconds = now->full->cost.total.median * static_cast<double>(runs);
        text = tr("%1 runs over window and routed count, about %2")
                   .arg(runs)
                   .arg(seconds < 90 ? tr("%1 s").arg(std::ceil(seconds))
                                     : tr("%1 min").arg(std::ceil(seconds / 60)));
    } else if (gridBase(m_context.requests.request().policy) != m_base) {
        text = tr("points belong to another base policy; sweep again to compare");
    } else {
        text = tr("click a point to load its policy");
    }
    m_state->setText(text);
    m_state->setToolTip(text);
}

QString CurveView::tip(int id) const {
    const auto numbers = [](const Cost& cost, const PropagatedFidelity& f) {
        return tr("pairs %1 % of full, counted\nKL %2, top-1 %3 %, loss change %4")
            .arg(cost.pairsRatio * 100, 0, 'g', 3)
            .arg(f.nextTokenKl, 0, 'g', 3)
            .arg(f.top1Agreement * 100, 0, 'f', 1)
            .arg(f.deltaNll, 0, 'g', 3);
    };
    if (id == kCurrentId) {
        const SnapshotPtr now = m_context.runs.lastComplete();
        return now && now->propagated
                   ? tr("policy now: ") + QString::fromStdString(now->request->policy.summary()) +
                         QLatin1Char('\n') + numbers(now->propagated->cost, now->propagated->fidelity)
                   : QString();
    }
    if (id < 0)
        return tr("full attention: cost 1, equal by definition");
    const auto& points = m_context.runs.sweepPoints();
    if (static_cast<std::size_t>(id) >= points.size())
        return {};
    const SweepPoint& p = points[static_cast<std::size_t>(id)];
    return QString::fromStdString(p.policy.summary()) + QLatin1Char('\n') + numbers(p.cost, p.fidelity) +
           (p.kind == PointKind::Policy ? tr("\nclick: load this policy") : tr("\ncontrol"));
}

void CurveView::loadPoint(int id) {
    const auto& points = m_context.runs.sweepPoints();
    if (static_cast<std::size_t>(id) < points.size())
        m_context.requests.setPolicy(points[static_cast<std::size_t>(id)].policy,
                                     tr("load point of the curve"));
}

void CurveView::exportNumbers() {
    if (m_context.runs.sweepPoints().empty())
        return;
    const QString path = QFileDialog::getSaveFileName(this, tr("Save the points"),
                                                      QStringLiteral("sweep.csv"), tr("CSV (*.csv)"));
    if (path.isEmpty())
        return;
    const Result<> written = writeFileAtomically(path.toStdString(), sweepCsv(m_context.runs.sweepPoints()));
    m_problem = written ? tr("saved %1").arg(path) : QString::fromStdString(written.error().message);
    updateState();
}

} // namespace fovea::ui
