#pragma once
#include "core/lesson/Scene.h"
#include <vector>

namespace fovea::lesson {

/// A question with its computed answer.
struct Answer {
    Value truth;
    int right = -1;             ///< of choices: the one that holds
    std::vector<double> values; ///< of choices that stand for a value; else 0
    /// Whether a typed number is right.
    [[nodiscard]] bool accepts(const Question& question, double typed) const;
};
/// Errors: those of evaluate; BadValue when two choices are equally near to the answer, when it lies in no
/// range or in two.
[[nodiscard]] Result<Answer> answerOf(const Question& question, const Scene& scene);

/// Whether the model shows the effect.
[[nodiscard]] Result<bool> showsEffect(const Effect& effect, const Scene& scene);

} // namespace fovea::lesson
