#include "ui/views/CurveView.h"
#include "core/export/Report.h"
#include "core/export/TuneReport.h"
#include "core/files/AtomicFile.h"
#include "core/policy/PolicyJson.h"
#include "core/policy/SignalSpec.h"
#include "core/tune/Front.h"
#include "ui/plot/CurvePlot.h"
#include "ui/plot/ElidedLabel.h"
#include "ui/plot/Theme.h"
#include "ui/views/CurveGrid.h"
#include "ui/views/CurveMeasures.h"
#include "ui/views/CurvePrediction.h"
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <map>

namespace fovea::ui {

namespace {

constexpr int kCurrentId = -2;
constexpr int kPredictedId = 1 << 20; ///< and the place among the predicted points

/// "about 40 s", "about 3 min".
QString aboutTime(double seconds) {
    return seconds < 90 ? CurveView::tr("about %1 s").arg(std::max(1.0, std::ceil(seconds)))
                        : CurveView::tr("about %1 min").arg(std::ceil(seconds / 60));
}

/// The point that a control stands beside: the last policy before it. Its own index for a policy.
std::size_t controlledBy(const std::vector<SweepPoint>& points, std::size_t index) {
    while (index > 0 && points[index].kind != PointKind::Policy)
        --index;
    return index;
}

} // namespace

CurveView::CurveView(ViewContext context, QWidget* parent)
    : QWidget(parent), m_context(context), m_cost(new QComboBox), m_fidelity(new QComboBox),
      m_predict(new QPushButton), m_find(new QToolButton), m_start(new QPushButton),
      m_cancel(new QToolButton), m_copy(new QToolButton), m_save(new QToolButton), m_state(new ElidedLabel),
      m_plot(new CurvePlot), m_prediction(new CurvePrediction(context, this)) {
    setObjectName(QStringLiteral("curve.view"));
    m_cost->setObjectName(QStringLiteral("curve.cost"));
    m_cost->setAccessibleName(tr("Cost"));
    m_fidelity->setObjectName(QStringLiteral("curve.fidelity"));
    m_fidelity->setAccessibleName(tr("Fidelity"));
    addCurveMeasures(*m_cost, *m_fidelity);
    for (QComboBox* box :
         {m_cost, m_fidelity}) { // as narrow as the dock may be; the list shows the whole name
        box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
        box->setMinimumContentsLength(12);
    }
    m_predict->setObjectName(QStringLiteral("curve.predict"));
    m_predict->setText(tr("Predict"));
    m_predict->setToolTip(
        tr("Predicts the curve of the same grid without running the model: each policy is judged on 128 "
           "queries, and six runs on the beginning of the text calibrate the prediction. The points "
           "are hollow and carry a band; a sweep measures them."));
    m_find->setObjectName(QStringLiteral("curve.find"));
    m_find->setText(tr("Find"));
    m_find->setToolTip(tr(
        "Searches presets, windows and routed counts for the cheapest policy within a loss, or the best one "
        "within a cost: their loss is predicted, and the likely ones are run, at most 16. The answer becomes "
        "B."));
    m_find->setPopupMode(QToolButton::InstantPopup);
    auto* goals = new QMenu(m_find);
    goals->setObjectName(QStringLiteral("curve.goals"));
    for (const double kl : {0.01, 0.02, 0.05, 0.1})
        goals->addAction(tr("Cheapest within KL %1").arg(kl), this, [this, kl] { startSearch({kl, {}}); });
    goals->addSeparator();
    for (const int share : {10, 15, 20, 30})
        goals->addAction(tr("Best within %1 % of the pairs").arg(share), this, [this, share] {
            startSearch({{}, share / 100.0});
        });
    m_find->setMenu(goals);
    m_start->setObjectName(QStringLiteral("curve.start"));
    m_start->setToolTip(
        tr("Runs the text under a grid of windows and routed counts, with the random and oracle "
           "routers beside each point (an encoder: of windows alone). Everything else goes first; Cancel "
           "stops it."));
    m_cancel->setObjectName(QStringLiteral("curve.cancel"));
    m_cancel->setText(tr("Cancel sweep"));
    m_copy->setObjectName(QStringLiteral("curve.copy"));
    m_copy->setText(tr("Copy command"));
    m_copy->setToolTip(tr("Copies the command line that measures the policy now set"));
    m_save->setObjectName(QStringLiteral("curve.save"));
    m_save->setText(tr("Save CSV"));
    for (QToolButton* button : {m_find, m_cancel, m_copy, m_save})
        button->setMinimumHeight(24);
    m_state->setObjectName(QStringLiteral("curve.state"));
    m_state->setFont(Theme::second()); // one line: a wrapped one would take the plot's height
    m_state->setMinimumWidth(80);

    auto* bar = new QHBoxLayout;
    m_bar = bar;
    bar->setSpacing(8);
    bar->addWidget(m_cost);
    bar->addWidget(m_fidelity);
    bar->addWidget(m_predict);
    bar->addWidget(m_find);
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
    connect(m_predict, &QPushButton::clicked, this, &CurveView::startPrediction);
    connect(m_cancel, &QToolButton::clicked, this, [this] {
        m_prediction->cancel();
        m_context.runs.cancelSweep();
    });
    connect(m_copy, &QToolButton::clicked, this, &CurveView::copyCommand);
    connect(m_save, &QToolButton::clicked, this, &CurveView::exportNumbers);
    connect(&m_context.runs, &RunController::snapshotChanged, this, &CurveView::refresh);
    connect(&m_context.runs, &RunController::updatingChanged, this, &CurveView::updateState);
    connect(&m_context.runs, &RunController::sweepPointDone, this, &CurveView::refresh);
    connect(
        &m_context.runs, &RunController::sweepFinished, this, [this](bool cancelled, const QString& error) {
            m_said = !cancelled                         ? error
                     : !m_context.runs.sweepIsCurrent() ? tr("the sweep ended: text or model changed")
                     : m_context.runs.sweepPoints().empty()
                         ? tr("sweep cancelled before its first point")
                         : tr("sweep cancelled, its %1 points stay").arg(m_context.runs.sweepPoints().size());
            refresh();
        });
    connect(&m_context.requests, &RequestModel::requestChanged, this, [this] {
        if (!m_context.runs.sweepIsCurrent())
            m_said.clear(); // it was about points that are no longer shown
        m_prediction->dropOld();
        refresh();
    });
    connect(m_prediction, &CurvePrediction::changed, this, [this](const QString& said) {
        m_said = said;
        if (m_prediction->running() && !said.isEmpty())
            updateState();
        else
            refresh();
    });
    connect(m_prediction, &CurvePrediction::found, this, [this](const AttentionPolicy& policy) {
        m_context.requests.setPolicy(policy, tr("load the policy that was found"));
    });
    refresh();
}

SweepPlan CurveView::plan(const AttentionPolicy& base, std::size_t tokens, bool causal) {
    return curveGrid(base, tokens, causal);
}

void CurveView::startSweep() {
    const SnapshotPtr now = m_context.runs.snapshot();
    if (!ready())
        return;
    m_said.clear();
    m_base = gridBase(m_context.requests.request().policy);
    m_context.runs.startSweep(plan(m_context.requests.request().policy, now->tokens->size(), causal()));
    refresh();
}

void CurveView::startPrediction() {
    const SnapshotPtr now = m_context.runs.snapshot();
    if (ready() && causal())
        m_prediction->start(now, plan(m_context.requests.request().policy, now->tokens->size()));
}

void CurveView::startSearch(const TuneGoal& goal) {
    if (ready() && causal())
        m_prediction->find(m_context.runs.snapshot(), goal);
}

void CurveView::appendPredicted(std::vector<CurvePoint>& marks) const {
    const Tuning* tuning = m_prediction->tuning();
    if (tuning == nullptr)
        return;
    std::vector<TunePoint> listed = tuning->points; // a front of what is not left out
    for (TunePoint& point : listed)
        if (isLeftOut(point.candidate.policy))
            point.candidate.control = true; // no answer
    if (!m_leftOut.empty())
        markFronts(listed);
    for (std::size_t n = 0; n < listed.size(); ++n) {
        const TunePoint& point = listed[n];
        const int id = kPredictedId + static_cast<int>(n);
        if (isLeftOut(point.candidate.policy))
            continue;
        if (!point.measured.empty()) { // a measurement takes the place of the prediction
            const Measurement& run = point.measured.front();
            PropagatedFidelity fidelity;
            fidelity.nextTokenKl = run.kl;
            fidelity.top1Agreement = run.top1;
            fidelity.deltaNll = run.deltaNll;
            marks.push_back({costOf(run.cost), fidelityOf(fidelity, std::nan(""), std::nan("")),
                             isBeaten(run.cost.pairsRatio, run.kl) ? CurveMark::Policy : CurveMark::Front,
                             id});
            continue;
        }
        const std::optional<Band> band =
            point.predicted ? curveBand(m_fidelity->currentIndex(), *point.predicted) : std::nullopt;
        if (!band || m_cost->currentIndex() == SecondsCost) // seconds are not predicted
            continue;
        marks.push_back({costOf(point.judged.front().cost), band->value,
                         point.predictedFront ? CurveMark::PredictedFront : CurveMark::Predicted, id,
                         band->low, band->high});
    }
}

bool CurveView::isBeaten(double pairs, double loss) const {
    const auto beats = [&](double otherPairs, double otherLoss) {
        return otherPairs <= pairs && otherLoss <= loss && (otherPairs < pairs || otherLoss < loss);
    };
    if (const Tuning* tuning = m_prediction->tuning())
        for (const TunePoint& point : tuning->points)
            if (point.answer() && !point.measured.empty() && !isLeftOut(point.candidate.policy) &&
                beats(point.measuredPairs(), point.measuredKl()))
                return true;
    return std::any_of(points().begin(), points().end(), [&](const SweepPoint& p) {
        return p.kind == PointKind::Policy && beats(p.cost.pairsRatio, lossOf(p.fidelity)) &&
               !isLeftOut(p.policy);
    });
}

bool CurveView::ready() const {
    const SnapshotPtr now = m_context.runs.snapshot();
    return now && now->tokens && now->full && now->full->complete &&
           m_context.runs.standing(*now) != Standing::OtherRun;
}

const std::vector<SweepPoint>& CurveView::points() const {
    static const std::vector<SweepPoint> none;
    return m_context.runs.sweepIsCurrent() ? m_context.runs.sweepPoints() : none;
}

bool CurveView::causal() const {
    const SnapshotPtr now = m_context.runs.snapshot();
    return !now || !now->model || now->model->shape.predictsTokens();
}

double CurveView::costOf(const Cost& cost) const {
    return curveCost(m_cost->currentIndex(), cost);
}

double CurveView::fidelityOf(const PropagatedFidelity& f, double massRecall, double outputError) const {
    return curveFidelity(m_fidelity->currentIndex(), f, massRecall, outputError);
}

void CurveView::refresh() {
    // The measure of another kind of model has no points here.
    if (const bool isCausal = causal(); isCausal != m_causal) {
        m_causal = isCausal;
        if (isCausal ? m_fidelity->currentIndex() == SentenceMeasure
                     : ofNextToken(m_fidelity->currentIndex()))
            m_fidelity->setCurrentIndex(isCausal ? KlMeasure : SentenceMeasure);
    }
    std::vector<CurvePoint> marks;
    appendPredicted(marks);
    const std::vector<SweepPoint>& sweep = points();
    for (std::size_t i = 0; i < sweep.size(); ++i) {
        const SweepPoint& p = sweep[i];
        if (isLeftOut(p.policy) || isLeftOut(sweep[controlledBy(sweep, i)].policy))
            continue;
        const CurveMark mark = p.kind == PointKind::RandomControl                ? CurveMark::Random
                               : p.kind == PointKind::OracleControl              ? CurveMark::Oracle
                               : isBeaten(p.cost.pairsRatio, lossOf(p.fidelity)) ? CurveMark::Policy
                                                                                 : CurveMark::Front;
        // A control shows what the same budget brings when it is spent at random or by the oracle. It stands
        // at the cost of the point that it controls: its own router's cost says nothing.
        marks.push_back({costOf(sweep[controlledBy(sweep, i)].cost),
                         fidelityOf(p.fidelity, p.massRecall, p.outputError), mark, static_cast<int>(i)});
    }
    const CurveAxis axisNow = curveAxis(m_fidelity->currentIndex());
    const SnapshotPtr complete = m_context.runs.lastComplete();
    if (complete && complete->propagated)
        marks.push_back({1.0, axisNow.equalValue, CurveMark::Full, -1});
    if (const SnapshotPtr now = policyNow()) {
        const double mass = now->isolated ? now->isolated->massRecall : std::nan("");
        const double error = now->isolated ? now->isolated->outputError : std::nan("");
        marks.push_back({costOf(now->propagated->cost), fidelityOf(now->propagated->fidelity, mass, error),
                         CurveMark::Current, kCurrentId});
    }
    m_plot->setAxes(m_cost->currentData().toString(), axisNow);
    m_plot->setPoints(std::move(marks));
    updateState();
}

std::vector<TunePoint> CurveView::knownPoints() const {
    std::vector<TunePoint> all;
    std::map<std::string, std::size_t> places;
    const auto add = [&](const TunePoint& point) {
        const auto [place, added] = places.emplace(point.candidate.hash, all.size());
        if (added)
            all.push_back(point);
        else if (all[place->second].measured.empty())
            all[place->second] = point; // a measurement takes the place of the prediction
    };
    for (const SweepPoint& run : points()) {
        TunePoint point;
        point.candidate.policy = run.policy;
        point.candidate.hash = policyHash(run.policy);
        point.candidate.values = run.values;
        point.candidate.control = run.kind != PointKind::Policy;
        point.candidate.ahead = looksAhead(run.policy);
        if (!run.fidelity.sentence) // KL is of next tokens
            point.measured.push_back(measurementOf(run.cost, run.fidelity));
        if (!point.measured.empty())
            add(point);
    }
    if (const Tuning* now = tuning())
        for (const TunePoint& point : now->points)
            if (!point.measured.empty() || point.predicted)
                add(point);
    std::erase_if(all, [this](const TunePoint& point) { return isLeftOut(point.candidate.policy); });
    markFronts(all);
    return all;
}

const Tuning* CurveView::tuning() const {
    return m_prediction->tuning();
}

bool CurveView::isLeftOut(const AttentionPolicy& policy) const {
    return std::any_of(m_leftOut.begin(), m_leftOut.end(),
                       [&](const AttentionPolicy& gone) { return sameButName(gone, policy); });
}

void CurveView::leaveOut(std::vector<AttentionPolicy> policies) {
    m_leftOut = std::move(policies);
    refresh();
}

void CurveView::setFew(bool few) {
    m_few = few;
    // Few controls stand in a narrow place, where the sentence has a line of its own.
    if (few)
        static_cast<QVBoxLayout*>(layout())->insertWidget(1, m_state);
    else
        m_bar->addWidget(m_state, 1);
    refresh();
}

bool CurveView::canSearch() const {
    return ready() && causal() && !m_context.runs.sweeping() && !m_prediction->running();
}

SnapshotPtr CurveView::policyNow() const {
    const SnapshotPtr complete = m_context.runs.lastComplete();
    return complete && complete->propagated && m_context.runs.standing(*complete) == Standing::Current
               ? complete
               : nullptr;
}

void CurveView::updateState() {
    const SnapshotPtr now = m_context.runs.snapshot();
    const bool isReady = ready(), isCausal = causal();
    const bool running = m_context.runs.sweeping(), predicting = m_prediction->running();
    QString start = tr("Sweep"), predictTime;
    if (isReady && !running && !predicting) {
        const SweepPlan grid = plan(m_context.requests.request().policy, now->tokens->size(), isCausal);
        const std::size_t runs =
            sweepPolicies(grid).transform([](const auto& list) { return list.size(); }).value_or(0);
        const double seconds =
            secondsPerPoint(m_context.runs.lastComplete(), *now->full) * static_cast<double>(runs);
        start = tr("Sweep: %1 runs, %2").arg(runs).arg(aboutTime(seconds));
        std::size_t policies = 1;
        for (const SweepAxis& one : grid.axes)
            policies *= one.values.size();
        if (isCausal)
            predictTime = aboutTime(CurvePrediction::secondsFor(*now, policies));
    }
    m_predict->setEnabled(isReady && isCausal && !running && !predicting);
    m_predict->setVisible(isCausal);
    m_find->setEnabled(m_predict->isEnabled());
    m_find->setVisible(isCausal && !m_few);
    m_copy->setVisible(!m_few);
    m_save->setVisible(!m_few);
    m_start->setText(start);
    m_start->setEnabled(isReady && !running && !predicting);
    m_cancel->setVisible(running || predicting);
    m_cancel->setText(predicting ? tr("Cancel") : tr("Cancel sweep"));
    m_save->setEnabled(!points().empty() || tuning() != nullptr);
    QString text;
    if (running)
        text =
            (isCausal ? tr("sweeping window and routed count: %1 of %2 runs") : tr("sweeping: %1 of %2 runs"))
                .arg(m_context.runs.sweepPoints().size())
                .arg(m_context.runs.sweepTotal());
    else if (!m_said.isEmpty())
        text = m_said;
    else if (!isCausal && ofNextToken(m_fidelity->currentIndex()))
        text = tr("no %1: %2").arg(m_fidelity->currentText(), QString::fromUtf8(kNoNextToken));
    else if (isCausal && m_fidelity->currentIndex() == SentenceMeasure)
        text = tr("no sentence vector: this model predicts tokens; KL, top-1 and loss measure it");
    else if (!isReady)
        text = tr("waits for the full run");
    else if (points().empty() && m_prediction->tuning() != nullptr)
        text = !m_prediction->base() ||
                       gridBase(*m_prediction->base()) ==
                           gridBase(plan(m_context.requests.request().policy, now->tokens->size()).base)
                   ? m_prediction->quality()
                   : tr("predictions belong to another base policy; predict again to compare");
    else if (points().empty())
        text = predictTime.isEmpty() ? tr("not swept yet")
                                     : tr("not swept yet; a predicted curve takes %1").arg(predictTime);
    else if (gridBase(m_context.requests.request().policy) != m_base)
        text = tr("points belong to another base policy; sweep again to compare");
    else
        text = tr("click a point to load its policy");
    m_state->setText(text);
    m_state->setToolTip(text);
    emit pointsChanged();
}

QString CurveView::tip(int id) const {
    const auto numbers = [](const Cost& cost, const PropagatedFidelity& f) {
        if (f.sentence)
            return tr("pairs %1 % of full, counted\ncosine of the sentence vectors %2, of tokens %3")
                .arg(cost.pairsRatio * 100, 0, 'g', 3)
                .arg(f.sentence->cosine, 0, 'g', 6)
                .arg(f.sentence->tokenCosine, 0, 'g', 6);
        return tr("pairs %1 % of full, counted\nKL %2, top-1 %3 %, loss change %4")
            .arg(cost.pairsRatio * 100, 0, 'g', 3)
            .arg(f.nextTokenKl, 0, 'g', 3)
            .arg(f.top1Agreement * 100, 0, 'f', 1)
            .arg(f.deltaNll, 0, 'g', 3);
    };
    if (id == kCurrentId) {
        const SnapshotPtr now = policyNow();
        return now ? tr("policy now: ") + QString::fromStdString(now->request->policy.summary()) +
                         QLatin1Char('\n') + numbers(now->propagated->cost, now->propagated->fidelity)
                   : QString();
    }
    if (id < 0)
        return tr("full attention: cost 1, equal by definition");
    if (id >= kPredictedId) {
        const TunePoint* point = m_prediction->point(static_cast<std::size_t>(id - kPredictedId));
        return point == nullptr          ? QString()
               : point->measured.empty() ? CurvePrediction::tip(*point)
                                         : CurvePrediction::measuredTip(*point);
    }
    const std::vector<SweepPoint>& all = points();
    if (static_cast<std::size_t>(id) >= all.size())
        return {};
    const SweepPoint& p = all[static_cast<std::size_t>(id)];
    return QString::fromStdString(p.policy.summary()) + QLatin1Char('\n') + numbers(p.cost, p.fidelity) +
           (p.kind == PointKind::Policy ? tr("\nclick: load this policy")
                                        : tr("\ncontrol, drawn at the cost of the point it stands beside"));
}

void CurveView::loadPoint(int id) {
    if (id >= kPredictedId) {
        if (const TunePoint* point = m_prediction->point(static_cast<std::size_t>(id - kPredictedId)))
            m_context.requests.setPolicy(point->candidate.policy, tr("load point of the curve"));
        return;
    }
    const std::vector<SweepPoint>& all = points();
    if (id >= 0 && static_cast<std::size_t>(id) < all.size())
        m_context.requests.setPolicy(all[static_cast<std::size_t>(id)].policy, tr("load point of the curve"));
}

void CurveView::copyCommand() const {
    QApplication::clipboard()->setText(
        QStringLiteral("fovea analyze FILE ") +
        QString::fromStdString(policyToOptions(m_context.requests.request().policy)));
}

void CurveView::exportNumbers() {
    // The points of the moment when saving was asked for, whatever arrives while the dialog is open. A sweep
    // has columns that a search has not, so without a search its own table is written.
    QByteArray csv;
    if (tuning() != nullptr) {
        Tuning known;
        known.points = knownPoints();
        csv = QByteArray::fromStdString(tuneCsv(known));
    } else if (!points().empty()) {
        std::vector<SweepPoint> listed = points();
        std::erase_if(listed, [this](const SweepPoint& point) { return isLeftOut(point.policy); });
        markPareto(listed);
        csv = QByteArray::fromStdString(sweepCsv(listed));
    } else {
        return;
    }
    auto* dialog = new QFileDialog(this, tr("Save the points"));
    dialog->setObjectName(QStringLiteral("curve.saveNumbers"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setNameFilter(tr("CSV (*.csv)"));
    dialog->setDefaultSuffix(QStringLiteral("csv"));
    dialog->selectFile(QStringLiteral("sweep.csv"));
    connect(dialog, &QFileDialog::fileSelected, this, [this, csv](const QString& path) {
        const Result<> written = writeFileAtomically(path.toStdString(), [&] { return csv.toStdString(); });
        m_said = written ? tr("saved %1").arg(path) : QString::fromStdString(written.error().message);
        updateState();
    });
    dialog->open();
}

} // namespace fovea::ui
