#pragma once
#include "core/engine/Engine.h"
#include "core/lesson/Scene.h"
#include <memory>
#include <string>
#include <vector>

namespace fovea::lesson {

/// One step as a learner meets it, with its numbers.
struct CheckedStep {
    StepKind kind = StepKind::See;
    std::string title;
    LessonState state;
    std::size_t tokens = 0; ///< T
    int query = -1;         ///< the token that is pinned; -1: none
    std::vector<std::string> say;
    std::vector<std::string> frames; ///< of the animation, what each says
    std::string ask, because;
    std::vector<std::string> choices;
    int right = -1;      ///< of the choices
    std::string answer;  ///< as it is shown; empty: the step asks nothing
    double number = 0;   ///< the same, exactly
    std::string gesture; ///< in words; empty: none
    std::string effect;  ///< what was found on this model; empty: the step looks for none
    bool effectShown = false;
    double runSeconds = 0; ///< measured: what had to run before the numbers of the step were known
    std::vector<std::string> problems; ///< what could not be computed, a sentence each
};

struct CheckedLesson {
    std::shared_ptr<const Lesson> lesson;
    std::string model;      ///< empty: none was needed or there is none
    std::size_t tokens = 0; ///< T of the first step
    std::vector<CheckedStep> steps;
    std::vector<std::string> notes; ///< for example another T than the lesson states
    [[nodiscard]] bool ok() const;
};

/// Runs every step of a lesson without a display: its text under its policies, every number, question,
/// gesture and finding. `request` gives model, precision and memory limit; an empty modelPath: no model, so
/// that steps that need one report it as a problem. `engine` keeps the model between lessons. Errors: those
/// of models and runs, Cancelled.
[[nodiscard]] Result<CheckedLesson> checkLesson(std::shared_ptr<const Lesson> lesson, const Request& request,
                                                Engine& engine, const WorkContext& work);

/// What the learner is asked to do, in words: "Set window to 64."
[[nodiscard]] std::string gestureText(const Gesture& gesture);

} // namespace fovea::lesson
