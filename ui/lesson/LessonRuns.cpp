#include "ui/lesson/LessonRuns.h"

namespace fovea::ui {

namespace {

const std::string kLane = "lesson";

} // namespace

LessonRuns::LessonRuns(RunController& runs, QObject* parent) : QObject(parent), m_controller(runs) {}

const LessonRuns::Runs& LessonRuns::over(const std::shared_ptr<const FullRun>& full) {
    if (full != m_of) {
        m_of = full;
        m_runs.clear();
    }
    return m_runs;
}

void LessonRuns::want(const SnapshotPtr& source, const std::shared_ptr<const lesson::Lesson>& lesson,
                      int layer, const lesson::Wants& wants) {
    if (m_fetching || !source || wants.policies.empty() || !m_fault.isEmpty())
        return;
    m_fetching = true;
    m_controller.fetch<Runs>(
        this,
        {kLane, Urgency::Background,
         [this](const Progress& p) { emit progressed(QString::fromStdString(p.what)); }},
        [source, lesson, layer, wants,
         have = over(source->full)](const WorkContext& work) mutable -> Result<Runs> {
            for (const auto& [name, what] : wants.policies) {
                Result<lesson::PolicyRun> run = lesson::runPolicy(*source, *lesson->policy(name), layer, what,
                                                                  std::move(have[name]), work);
                FOVEA_TRY(run);
                have[name] = std::move(*run);
            }
            return std::move(have);
        },
        [this, full = source->full, round = m_round](Result<Runs> end) {
            if (round != m_round)
                return;
            m_fetching = false;
            if (end && full == m_of)
                m_runs = std::move(*end);
            else if (!end && end.error().code != ErrorCode::Cancelled)
                m_fault = QString::fromStdString(end.error().message);
            emit changed();
        });
}

void LessonRuns::drop() {
    ++m_round;
    m_fetching = false;
    m_runs.clear();
    m_of.reset();
    m_fault.clear();
    m_controller.drop(kLane);
}

} // namespace fovea::ui
