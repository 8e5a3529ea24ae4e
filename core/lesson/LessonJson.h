#pragma once
#include "core/lesson/Lesson.h"
#include <string_view>

namespace fovea::lesson {

/// Reads a lesson document ("fovea": "lesson", "version": 1; resources/lessons/README.md describes it). The
/// file is untrusted. Unknown and duplicate keys, wrong types, values out of range, unknown quantities,
/// policies, parameters and samples are BadValue that names the path ("steps[2].answer"); another kind of
/// document is NotThisFormat; more than 1 MB is TooLarge. OutOfMemory.
[[nodiscard]] Result<Lesson> lessonFromJson(std::string_view text);

} // namespace fovea::lesson
