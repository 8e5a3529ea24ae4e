#pragma once
#include "core/lesson/Scene.h"
#include "ui/run/RunController.h"
#include <QObject>
#include <map>
#include <memory>
#include <string>

namespace fovea::ui {

/// The runs that a lesson needs beside the window's own: its policies over the full run that is on screen.
/// They run on the engine thread, behind everything that the window shows. GUI thread only.
class LessonRuns : public QObject {
    Q_OBJECT
public:
    using Runs = std::map<std::string, lesson::PolicyRun>;
    LessonRuns(RunController& runs, QObject* parent = nullptr);

    /// What has run over this full run so far, by policy; those over another one are forgotten.
    [[nodiscard]] const Runs& over(const std::shared_ptr<const FullRun>& full);
    /// Starts what is missing, unless something runs already or has failed.
    void want(const SnapshotPtr& source, const std::shared_ptr<const lesson::Lesson>& lesson, int layer,
              const lesson::Wants& wants);
    /// Why the last run failed; empty: it did not. Nothing is started again before forgive().
    [[nodiscard]] QString fault() const { return m_fault; }
    void forgive() { m_fault.clear(); }
    void drop(); ///< gives up what runs, and forgets what has run

signals:
    void progressed(const QString& what);
    void changed(); ///< a run is done, or has failed

private:
    RunController& m_controller;
    Runs m_runs;
    std::shared_ptr<const FullRun> m_of; ///< the full run that m_runs belong to
    bool m_fetching = false;
    std::uint64_t m_round = 0; ///< answers of an earlier one are dropped
    QString m_fault;
};

} // namespace fovea::ui
