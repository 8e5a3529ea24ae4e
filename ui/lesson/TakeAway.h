#pragma once
#include "core/lesson/Scene.h"
#include <QByteArray>
#include <QString>
#include <vector>

namespace fovea::ui {

/// What the learner saw and answered in one step.
struct TakeAwayStep {
    QString title, say;
    QString question, said, counted, because; ///< empty: the step asked nothing, or was not answered
    QString finding;                          ///< what this model showed; empty: the step looked for nothing
    bool right = false;
    QByteArray picture; ///< PNG of the map; empty: none
};

/// A step with the numbers of the scene, without its picture. `said`: the reply as it was given; empty: none.
[[nodiscard]] TakeAwayStep takeAwayStep(const lesson::LessonStep& step, const lesson::Scene& scene,
                                        const QString& said, bool right);

/// One page about a lesson that was worked through: HTML without script and without links, so that it opens
/// anywhere. Every text is escaped.
[[nodiscard]] QString takeAwayHtml(const QString& title, const QString& provenance,
                                   const std::vector<TakeAwayStep>& steps);

} // namespace fovea::ui
