#pragma once
#include <cstddef>

namespace fovea::lesson {

struct CheckedLesson;

/// How long a lesson takes a learner who reads everything: its texts at kWordsPerMinute, its films as they
/// are played at speed 1, and the runs as they were measured. Seconds.
struct LessonTime {
    std::size_t words = 0; ///< paragraphs, questions, choices, verdicts and findings; not those of films
    double reading = 0, films = 0, runs = 0;
    [[nodiscard]] double minutes() const { return (reading + films + runs) / 60; }
};

inline constexpr double kWordsPerMinute = 200;

[[nodiscard]] LessonTime timeOf(const CheckedLesson& lesson);

} // namespace fovea::lesson
