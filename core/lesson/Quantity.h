#pragma once
#include "core/lesson/Lesson.h"
#include "core/lesson/Value.h"
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace fovea::lesson {

struct Asked;

/// Where a quantity comes from.
enum class Source : std::uint8_t {
    Plan,       ///< counted from the plan or the shape: no weights are needed
    Tokens,     ///< the words themselves: a tokenizer is needed
    FullRun,    ///< the full run
    Propagated, ///< the propagated run of the policy
    Isolated,   ///< the isolated run of the policy, all layers
    Recall,     ///< a register text and the full run
    RecallOf,   ///< the same and the propagated run of the policy
};

/// One quantity that lessons may name. Arguments, a letter each: t a token of the text, n a whole number from
/// 0, v any quantity, s words of the text in apostrophes, P a policy, p a policy that may be left out (the
/// step's policy).
struct QuantitySpec {
    std::string_view name, arguments;
    Unit unit;
    Source source;
    Result<double> (*compute)(const Asked&); ///< null: a word, which has no number
    std::string_view help;                   ///< one line, for people who write lessons
};
[[nodiscard]] std::span<const QuantitySpec> quantities();
[[nodiscard]] const QuantitySpec* findQuantity(std::string_view name);

/// Checks that the quantity of a lesson exists and that its arguments fit; policies must be of the lesson.
/// Errors: BadValue with what would be accepted.
[[nodiscard]] Result<> checkTerm(const Term& term, const Lesson& lesson);

/// What must have run before the quantities of a step can be told.
struct Wants {
    bool fullRun = false;
    struct OfPolicy {
        bool propagated = false, isolated = false, plan = false; ///< plan: the router must choose
        bool operator==(const OfPolicy&) const = default;
    };
    std::map<std::string, OfPolicy> policies; ///< by name
    [[nodiscard]] bool run() const { return fullRun || !policies.empty(); }
};
/// Of every quantity in the step: paragraphs, question, choices, effect.
[[nodiscard]] Wants wantsOf(const Lesson& lesson, const LessonStep& step);
/// Whether any step of the lesson needs a model that runs for its numbers. Animations may be left out.
[[nodiscard]] bool needsRun(const Lesson& lesson);

} // namespace fovea::lesson
