#include "ui/views/CurvePrediction.h"
#include <algorithm>
#include <cmath>
#include <mutex>
#include <utility>

namespace fovea::ui {

namespace {

const std::string kKey = "curve.predict";

using Answer = std::shared_ptr<const Tuning>;

/// The newest state of a search under way, between its thread and the one that draws.
struct Newest {
    std::mutex mutex;
    Answer state;
};

QString percent(double share) {
    return QString::number(share * 100, 'g', 3);
}

} // namespace

CurvePrediction::CurvePrediction(ViewContext context, QObject* parent)
    : QObject(parent), m_context(context) {}

void CurvePrediction::start(SnapshotPtr now, const SweepPlan& grid) {
    if (m_running)
        return;
    TuneOptions options;
    options.runs = 0;
    const Snapshot& text = *now;
    run(now, grid.base, tuneSpace({grid.base}, grid.axes, text.model->shape, text.tokens->size()), options);
}

void CurvePrediction::find(SnapshotPtr now, const TuneGoal& goal, std::size_t runs) {
    if (m_running)
        return;
    TuneOptions options;
    options.goal = goal;
    options.runs = runs;
    const Snapshot& text = *now;
    run(now, {}, standardSpace(text.model->shape, text.tokens->size()), options);
}

void CurvePrediction::run(SnapshotPtr now, std::optional<AttentionPolicy> base, Result<TuneSpace> space,
                          const TuneOptions& options) {
    m_tuning.reset();
    m_of = std::move(now);
    m_base = std::move(base);
    if (!space) {
        emit changed(QString::fromStdString(space.error().message));
        return;
    }
    m_running = true;
    m_givenUp = false;
    const QString doing = m_base ? tr("predicting: %1 %2 %") : tr("searching: %1 %2 %");
    const auto newest = std::make_shared<Newest>();
    m_context.runs.fetch<Answer>(
        this,
        {kKey, Urgency::Background,
         [this, newest, doing](const Progress& p) {
             if (m_givenUp)
                 return;
             Answer state;
             {
                 const std::lock_guard lock(newest->mutex);
                 state = std::move(newest->state);
                 newest->state = nullptr;
             }
             const QString said = doing.arg(QString::fromStdString(p.what))
                                      .arg(p.total > 0 ? std::floor(100 * p.done / p.total) : 0);
             if (state && state->predicts()) {
                 m_tuning = std::move(state);
                 emit changed({}); // the points first
             }
             emit changed(said);
         }},
        [now = m_of, space = std::move(*space), options, newest](const WorkContext& work) -> Result<Answer> {
            TuneWatch watch;
            watch.changed = [&](const Tuning& state) {
                const std::lock_guard lock(newest->mutex);
                newest->state = std::make_shared<const Tuning>(state);
            };
            auto tuning = std::make_shared<Tuning>();
            FOVEA_TRY(tune(options, space, {now}, watch, *tuning, work));
            return Answer(std::move(tuning));
        },
        [this, options](Result<Answer> answer) { finish(std::move(answer), options); });
    emit changed({});
}

void CurvePrediction::finish(Result<std::shared_ptr<const Tuning>> answer, const TuneOptions& options) {
    m_running = false;
    // What was measured until then stays. An answer that was on its way by then is none.
    if (std::exchange(m_givenUp, false) || (!answer && answer.error().code == ErrorCode::Cancelled)) {
        const QString what = m_base ? tr("prediction") : tr("search");
        emit changed(m_of ? tr("%1 cancelled").arg(what)
                          : tr("the %1 ended: text or model changed").arg(what));
        return;
    }
    if (!answer) {
        emit changed(QString::fromStdString(answer.error().message));
        return;
    }
    if (!(*answer)->predicts()) {
        emit changed(
            tr("no curve is predicted: fewer than three calibration runs lose anything on this text"));
        return;
    }
    m_tuning = std::move(*answer);
    const TuneGoal& goal = options.goal;
    if (!goal.withinKl && !goal.withinPairs) {
        emit changed({});
        return;
    }
    const QString wanted = goal.withinKl
                               ? tr("cheapest within KL %1").arg(*goal.withinKl)
                               : tr("best within %1 % of the pairs").arg(percent(*goal.withinPairs));
    if (!m_tuning->best) {
        emit changed(tr("%1: none of %2 policies is measured within it, after %3 runs")
                         .arg(wanted)
                         .arg(m_tuning->judged)
                         .arg(m_tuning->runs));
        return;
    }
    const TunePoint& best = m_tuning->points[*m_tuning->best];
    emit found(best.candidate.policy);
    emit changed(tr("%1: %2, measured KL %3 at %4 % of the pairs; %5 runs, %6")
                     .arg(wanted, QString::fromStdString(best.candidate.policy.summary()))
                     .arg(best.measuredKl(), 0, 'g', 3)
                     .arg(percent(best.measuredPairs()))
                     .arg(m_tuning->runs)
                     .arg(m_tuning->ending == TuneEnding::Settled
                              ? tr("and no other policy is expected to be better")
                              : tr("the runs allowed are spent")));
}

void CurvePrediction::cancel() {
    m_givenUp = m_running;
    m_context.runs.drop(kKey);
}

const Tuning* CurvePrediction::tuning() const {
    return m_tuning && m_of && m_context.runs.standing(*m_of) != Standing::OtherRun ? m_tuning.get()
                                                                                    : nullptr;
}

void CurvePrediction::dropOld() {
    if (!m_of || m_context.runs.standing(*m_of) != Standing::OtherRun)
        return;
    cancel();
    m_tuning.reset();
    m_of.reset();
}

const TunePoint* CurvePrediction::point(std::size_t at) const {
    const Tuning* now = tuning();
    return now != nullptr && at < now->points.size() && now->points[at].predicted ? &now->points[at]
                                                                                  : nullptr;
}

QString CurvePrediction::tip(const TunePoint& point) {
    const Prediction& p = *point.predicted;
    return QString::fromStdString(point.candidate.policy.summary()) + QLatin1Char('\n') +
           tr("predicted, not measured: KL %1 (%2 to %3), top-1 %4 %\n"
              "pairs %5 % of full, estimated\nclick: load this policy, which measures it")
               .arg(p.kl.value, 0, 'g', 3)
               .arg(p.kl.low, 0, 'g', 3)
               .arg(p.kl.high, 0, 'g', 3)
               .arg(p.top1.value * 100, 0, 'f', 1)
               .arg(point.estimatedPairs() * 100, 0, 'g', 3);
}

QString CurvePrediction::measuredTip(const TunePoint& point) {
    QString text = QString::fromStdString(point.candidate.policy.summary()) + QLatin1Char('\n') +
                   tr("measured: KL %1, top-1 %2 %, loss change %3\npairs %4 % of full, counted")
                       .arg(point.measuredKl(), 0, 'g', 3)
                       .arg(point.measuredTop1() * 100, 0, 'f', 1)
                       .arg(point.measuredDeltaNll(), 0, 'g', 3)
                       .arg(percent(point.measuredPairs()));
    if (point.foretold)
        text += tr("\npredicted before: KL %1 to %2")
                    .arg(point.foretold->kl.low, 0, 'g', 3)
                    .arg(point.foretold->kl.high, 0, 'g', 3);
    return text + tr("\nclick: load this policy");
}

QString CurvePrediction::quality() const {
    const Tuning* now = tuning();
    if (now == nullptr)
        return {};
    const Calibration& calibration = now->calibrations.front();
    QString text = tr("predicted in %1 s from %2 calibration runs")
                       .arg(now->curveSeconds, 0, 'f', 1)
                       .arg(calibration.points());
    if (std::isfinite(calibration.rankCorrelation()))
        text += tr(": rank correlation left out %1").arg(calibration.rankCorrelation(), 0, 'f', 2);
    return text + tr(", band times and over %1; click a point to load its policy")
                      .arg(calibration.factor(), 0, 'f', 2);
}

double CurvePrediction::secondsFor(const Snapshot& snapshot, std::size_t policies) {
    const ArmCost& full = snapshot.full->cost;
    const double tokens = static_cast<double>(std::max<std::size_t>(snapshot.tokens->size(), 1));
    const double runs = 7 * full.total.median * std::min(1.0, 256 / tokens);
    const double judged = 0.004 * snapshot.model->shape.layers + 0.05 * full.attention.median;
    return runs + judged * static_cast<double>(policies);
}

} // namespace fovea::ui
