#include "core/lesson/LessonTime.h"
#include "core/lesson/LessonCheck.h"
#include "core/lesson/Story.h"
#include <cctype>
#include <string_view>

namespace fovea::lesson {

namespace {

/// What stands between spaces.
std::size_t wordsIn(std::string_view text) {
    std::size_t count = 0;
    bool inside = false;
    for (const char c : text) {
        const bool space = std::isspace(static_cast<unsigned char>(c)) != 0;
        count += !space && !inside ? 1U : 0U;
        inside = !space;
    }
    return count;
}

} // namespace

LessonTime timeOf(const CheckedLesson& lesson) {
    LessonTime time;
    for (std::size_t i = 0; i < lesson.steps.size(); ++i) {
        const CheckedStep& step = lesson.steps[i];
        time.words += wordsIn(step.title) + wordsIn(step.ask) + wordsIn(step.because) + wordsIn(step.effect);
        for (const std::string& say : step.say)
            time.words += wordsIn(say);
        for (const std::string& choice : step.choices)
            time.words += wordsIn(choice);
        if (const auto& film = lesson.lesson->steps[i].animate; film && !step.frames.empty())
            time.films += 0.001 * frameMs(film->kind) * static_cast<double>(step.frames.size() - 1);
        time.runs += step.runSeconds;
    }
    time.reading = static_cast<double>(time.words) * 60 / kWordsPerMinute;
    return time;
}

} // namespace fovea::lesson
