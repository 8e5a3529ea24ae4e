#include "ui/views/CurvePrediction.h"
#include <algorithm>
#include <cmath>

namespace fovea::ui {

namespace {

const std::string kKey = "curve.predict";

} // namespace

CurvePrediction::CurvePrediction(ViewContext context, QObject* parent)
    : QObject(parent), m_context(context) {}

void CurvePrediction::start(SnapshotPtr now, const SweepPlan& grid) {
    if (m_running)
        return;
    m_tuning.reset();
    m_of = std::move(now);
    m_base = grid.base;
    Result<TuneSpace> space = tuneSpace({grid.base}, grid.axes, m_of->model->shape, m_of->tokens->size());
    if (!space) {
        emit changed(QString::fromStdString(space.error().message));
        return;
    }
    m_running = true;
    using Answer = std::shared_ptr<const Tuning>;
    m_context.runs.fetch<Answer>(
        this,
        {kKey, Urgency::Background,
         [this](const Progress& p) {
             emit changed(tr("predicting: %1 %2 %")
                              .arg(QString::fromStdString(p.what))
                              .arg(p.total > 0 ? std::floor(100 * p.done / p.total) : 0));
         }},
        [now = m_of, space = std::move(*space)](const WorkContext& work) -> Result<Answer> {
            TuneOptions options;
            options.runs = 0;
            auto tuning = std::make_shared<Tuning>();
            FOVEA_TRY(tune(options, space, {now}, {}, *tuning, work));
            return Answer(std::move(tuning));
        },
        [this](Result<Answer> answer) {
            m_running = false;
            QString said;
            if (!answer)
                said = answer.error().code == ErrorCode::Cancelled
                           ? tr("prediction cancelled")
                           : QString::fromStdString(answer.error().message);
            else if (!(*answer)->predicts())
                said =
                    tr("no curve is predicted: fewer than three calibration runs lose anything on this text");
            else
                m_tuning = std::move(*answer);
            emit changed(said);
        });
    emit changed({});
}

void CurvePrediction::cancel() {
    m_context.runs.drop(kKey);
}

const Tuning* CurvePrediction::tuning() const {
    return m_tuning && m_of && m_context.runs.standing(*m_of) != Standing::OtherRun ? m_tuning.get()
                                                                                    : nullptr;
}

void CurvePrediction::dropOld() {
    if (!m_of || m_context.runs.standing(*m_of) != Standing::OtherRun)
        return;
    if (m_running)
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
