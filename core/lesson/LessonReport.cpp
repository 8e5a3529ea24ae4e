#include "core/lesson/LessonReport.h"
#include "core/files/JsonWriter.h"
#include "core/lesson/LessonTime.h"
#include "core/lesson/Value.h"

namespace fovea::lesson {

namespace {

using json::Json;

Json stepJson(const CheckedStep& step) {
    Json out = Json::object();
    out["kind"] = stepKindName(step.kind);
    out["title"] = step.title;
    out["policy"] = step.state.policy;
    out["tokens"] = step.tokens;
    out["say"] = step.say;
    if (!step.answer.empty() || !step.ask.empty()) {
        out["question"] = step.ask;
        if (!step.choices.empty()) {
            out["choices"] = step.choices;
            out["right"] = step.right;
        }
        out["answer"] = step.answer;
        out["number"] = step.number;
        out["because"] = step.because;
    }
    if (!step.frames.empty())
        out["frames"] = step.frames;
    if (!step.gesture.empty())
        out["gesture"] = step.gesture;
    if (!step.effect.empty()) {
        out["effect_shown"] = step.effectShown;
        out["effect"] = step.effect;
    }
    out["problems"] = step.problems;
    return out;
}

Json timeJson(const LessonTime& time) {
    return {{"words", time.words},       {"words_per_minute", kWordsPerMinute},
            {"reading_s", time.reading}, {"films_s", time.films},
            {"runs_s", time.runs},       {"minutes", time.minutes()}};
}

std::string timeText(const CheckedLesson& checked) {
    const LessonTime time = timeOf(checked);
    const auto seconds = [](double s) { return s < 0.05 ? std::string("0") : threeDigits(s); };
    return "  " + threeDigits(time.minutes()) + " minutes: " + std::to_string(time.words) + " words at " +
           threeDigits(kWordsPerMinute) + " a minute, films of " + seconds(time.films) + " s, runs of " +
           seconds(time.runs) + " s (measured)\n";
}

void add(std::string& text, const std::string& before, const std::string& line) {
    if (!line.empty())
        text += before + line + "\n";
}

} // namespace

std::string lessonsJson(std::span<const CheckedLesson> lessons) {
    Json doc = Json::object();
    doc["fovea"] = "lessons";
    doc["version"] = 1;
    Json list = Json::array();
    for (const CheckedLesson& checked : lessons) {
        Json one = Json::object();
        one["id"] = checked.lesson->id;
        one["title"] = checked.lesson->title;
        one["minutes"] = checked.lesson->minutes;
        one["model"] = checked.model;
        one["tokens"] = checked.tokens;
        one["ok"] = checked.ok();
        one["notes"] = checked.notes;
        Json steps = Json::array();
        for (const CheckedStep& step : checked.steps)
            steps.push_back(stepJson(step));
        one["steps"] = std::move(steps);
        if (!checked.steps.empty())
            one["time"] = timeJson(timeOf(checked));
        list.push_back(std::move(one));
    }
    doc["lessons"] = std::move(list);
    return json::write(doc);
}

std::string quantitiesJson() {
    Json doc = Json::object();
    doc["fovea"] = "quantities";
    doc["version"] = 1;
    Json list = Json::array();
    for (const QuantitySpec& spec : quantities())
        list.push_back(Json{{"name", spec.name}, {"arguments", spec.arguments}, {"help", spec.help}});
    doc["quantities"] = std::move(list);
    return json::write(doc);
}

std::string lessonText(const CheckedLesson& checked) {
    const Lesson& lesson = *checked.lesson;
    std::string text = lesson.title + " (" + std::to_string(lesson.minutes) + " minutes, " +
                       std::to_string(checked.tokens) + " tokens" +
                       (checked.model.empty() ? ", without a model" : ", " + checked.model) + ")\n";
    add(text, "  ", lesson.why);
    for (const std::string& note : checked.notes)
        add(text, "  note: ", note);
    for (std::size_t i = 0; i < checked.steps.size(); ++i) {
        const CheckedStep& step = checked.steps[i];
        text += "\n  " + std::to_string(i + 1) + ". " + std::string(stepKindName(step.kind)) + ": " +
                step.title + "\n";
        for (const std::string& say : step.say)
            add(text, "     ", say);
        if (!step.frames.empty())
            text += "     [" + std::to_string(step.frames.size()) + " pictures: " + step.frames.front() +
                    (step.frames.size() > 1 ? " ... " + step.frames.back() : "") + "]\n";
        add(text, "     ? ", step.ask);
        for (std::size_t c = 0; c < step.choices.size(); ++c)
            add(text, static_cast<int>(c) == step.right ? "       * " : "       - ", step.choices[c]);
        add(text, "     = ", step.answer);
        add(text, "     ", step.because);
        add(text, "     > ", step.gesture);
        add(text, "     ", step.effect);
        for (const std::string& problem : step.problems)
            add(text, "     problem: ", problem);
    }
    text += "\n" + timeText(checked);
    return text;
}

} // namespace fovea::lesson
