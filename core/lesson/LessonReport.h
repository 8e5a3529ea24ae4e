#pragma once
#include "core/lesson/LessonCheck.h"
#include <span>
#include <string>

namespace fovea::lesson {

/// The lessons as one JSON document ("fovea": "lessons"): every step with its texts, numbers and problems.
[[nodiscard]] std::string lessonsJson(std::span<const CheckedLesson> lessons);
/// The quantities that lessons may name, as one JSON document ("fovea": "quantities").
[[nodiscard]] std::string quantitiesJson();
/// A lesson as it reads, step by step, with the computed numbers. Lines are not wrapped.
[[nodiscard]] std::string lessonText(const CheckedLesson& lesson);

} // namespace fovea::lesson
