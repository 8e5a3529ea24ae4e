#include "core/lesson/Answer.h"
#include "core/lesson/Refusal.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::lesson {

namespace {

/// The only choice whose distance `off` from the answer is least. Floating-point ties are judged to 1e-12 of
/// the answer.
Result<int> onlyNearest(const std::vector<double>& off, const Value& truth) {
    const double least = *std::min_element(off.begin(), off.end());
    const double slack = 1e-12 * std::max(1.0, std::abs(truth.number));
    const auto near = [&](double one) { return one <= least + slack; };
    if (std::count_if(off.begin(), off.end(), near) > 1)
        return bad("two choices are equally near to the answer " + truth.shown());
    return static_cast<int>(std::find_if(off.begin(), off.end(), near) - off.begin());
}

} // namespace

bool Answer::accepts(const Question& question, double typed) const {
    // Half a unit of the last digit that is shown is no mistake.
    const double slack = std::max(
        question.within * std::abs(truth.number),
        truth.unit == Unit::Count || truth.unit == Unit::Token ? 0.0 : 0.005 * std::abs(truth.number));
    const double shown = truth.unit == Unit::Share ? typed / 100 : typed;
    return std::abs(shown - truth.number) <= slack + 1e-9;
}

Result<Answer> answerOf(const Question& question, const Scene& scene) {
    Answer answer;
    Result<Value> truth = evaluate(question.answer, scene);
    FOVEA_TRY(truth);
    answer.truth = std::move(*truth);
    const double number = answer.truth.number;
    std::vector<double> off;
    int holding = 0;
    for (std::size_t i = 0; i < question.choices.size(); ++i) {
        const Choice& choice = question.choices[i];
        if (!choice.value) {
            const bool holds = number >= choice.from.value_or(-std::numeric_limits<double>::infinity()) &&
                               number < choice.below.value_or(std::numeric_limits<double>::infinity());
            answer.right = holds ? static_cast<int>(i) : answer.right;
            holding += holds ? 1 : 0;
            answer.values.push_back(0);
            continue;
        }
        const Result<Value> value = evaluate(*choice.value, scene);
        FOVEA_TRY(value);
        answer.values.push_back(value->number);
        off.push_back(std::abs(value->number - number));
    }
    if (!off.empty()) {
        const Result<int> nearest = onlyNearest(off, answer.truth);
        FOVEA_TRY(nearest);
        answer.right = *nearest;
    } else if (!question.choices.empty() && holding != 1) {
        return bad("the answer " + answer.truth.shown() + " lies in " +
                   (holding == 0 ? "the range of no choice" : "the ranges of several choices"));
    }
    return answer;
}

Result<bool> showsEffect(const Effect& effect, const Scene& scene) {
    const Result<Value> of = evaluate(effect.of, scene);
    FOVEA_TRY(of);
    const Result<Value> over = evaluate(effect.over, scene);
    FOVEA_TRY(over);
    return of->number > effect.times * over->number;
}

} // namespace fovea::lesson
