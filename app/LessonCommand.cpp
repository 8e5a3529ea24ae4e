#include "app/Command.h"
#include "app/Help.h"
#include "app/Output.h"
#include "app/TextOptions.h"
#include "app/Usage.h"
#include "core/engine/TextStage.h"
#include "core/files/AtomicFile.h"
#include "core/lesson/LessonCheck.h"
#include "core/lesson/LessonJson.h"
#include "core/lesson/LessonReport.h"
#include "core/lesson/LessonWrite.h"
#include "core/lesson/Library.h"
#include "core/model/Inspection.h"
#include <filesystem>

namespace fovea::app {

namespace {

using namespace fovea::lesson;

constexpr std::uint64_t kLessonBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kSessionBytes = std::uint64_t{64} << 20;

struct Options {
    std::string action;
    std::vector<std::string> files;
    RunOptions run;
    OutputOptions output;
    bool noModel = false;
    std::string title, say;
};

/// The bytes of a lesson: the number or id of one that comes with the program, or a file.
Outcome<std::string> readLesson(const std::string& name) {
    const auto library = libraryLessons();
    for (std::size_t i = 0; i < library.size(); ++i) {
        const Result<Lesson> read = lessonFromJson(library[i].bytes);
        if (name == std::to_string(i + 1) || (read && read->id == name))
            return std::string(library[i].bytes);
    }
    Result<std::string> bytes = readWholeFile(name, kLessonBytes);
    FOVEA_TRY(bytes);
    return std::move(*bytes);
}

Outcome<> list(const Options& options) {
    std::vector<CheckedLesson> lessons;
    std::string table;
    int number = 0;
    for (const LibraryFile& file : libraryLessons()) {
        Result<Lesson> read = lessonFromJson(file.bytes);
        if (!read)
            return workFailed(std::string(file.name) + ": " + read.error().message);
        const bool run = needsRun(*read);
        std::string left = "  " + std::to_string(++number) + "  " + read->id;
        left.resize(std::max<std::size_t>(left.size() + 1, 18), ' ');
        std::string minutes = std::to_string(read->minutes) + " min";
        minutes.resize(std::max<std::size_t>(minutes.size() + 2, 8), ' ');
        table += left + minutes + read->title + (run ? "" : " (works without a model)") + "\n";
        CheckedLesson one;
        one.tokens = read->text.tokens;
        one.lesson = std::make_shared<const Lesson>(std::move(*read));
        lessons.push_back(std::move(one));
    }
    return deliver(options.output, lessonsJson(lessons),
                   table +
                       "\nfovea lesson check 3 reads lesson 3 with its numbers; the menu Learn of the window "
                       "teaches it.\n");
}

std::string quantityTable() {
    std::string table;
    for (const QuantitySpec& spec : quantities()) {
        std::string left = "  " + std::string(spec.name) +
                           (spec.arguments.empty() ? "" : "(" + std::string(spec.arguments) + ")");
        left.resize(std::max<std::size_t>(left.size() + 1, 26), ' ');
        table += left + wrapped(std::string(spec.help), 26, 100).substr(26);
    }
    return table +
           "\nArguments: t a token, n a whole number, v a quantity, s words of the text in apostrophes, P a "
           "policy of the lesson, p the same or nothing (the step's).\n";
}

Outcome<> check(const Options& options, Session& session) {
    std::vector<std::string> names = options.files;
    if (names.empty())
        for (std::size_t i = 0; i < libraryLessons().size(); ++i)
            names.push_back(std::to_string(i + 1));
    std::vector<std::shared_ptr<const Lesson>> lessons;
    for (const std::string& name : names) { // all are read before the first one runs
        const Outcome<std::string> bytes = readLesson(name);
        FOVEA_TRY(bytes);
        Result<Lesson> read = lessonFromJson(*bytes);
        if (!read)
            return badUsage(name + ": " + read.error().message);
        lessons.push_back(std::make_shared<const Lesson>(std::move(*read)));
    }
    Request request;
    if (!options.noModel) {
        Outcome<Request> made = makeRequest(options.run, {});
        FOVEA_TRY(made);
        request = std::move(*made);
    }
    const Outcome<int> threads = readThreads(options.run);
    FOVEA_TRY(threads);
    Engine engine;
    std::vector<CheckedLesson> checked;
    std::string text;
    for (const auto& lesson : lessons) {
        Result<CheckedLesson> one =
            checkLesson(lesson, request, engine, session.work(*threads, options.output.quiet));
        FOVEA_TRY(one);
        text += (text.empty() ? "" : "\n") + lessonText(*one);
        checked.push_back(std::move(*one));
    }
    session.clearProgress();
    FOVEA_TRY(deliver(options.output, lessonsJson(checked), text));
    for (const CheckedLesson& one : checked)
        for (std::size_t i = 0; i < one.steps.size(); ++i)
            if (!one.steps[i].problems.empty())
                return workFailed("lesson \"" + one.lesson->id + "\", step " + std::to_string(i + 1) + ": " +
                                  one.steps[i].problems.front());
    return {};
}

/// Adds the state that a session holds to a lesson file, as a step.
Outcome<> record(const Options& options, Session& session) {
    if (options.files.size() != 2 || options.title.empty() || options.say.empty())
        return badUsage("lesson new needs a lesson file, a session file, --title and --say");
    const std::string &path = options.files[0], &from = options.files[1];
    std::string before;
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) {
        Result<std::string> read = readWholeFile(path, kLessonBytes);
        FOVEA_TRY(read);
        before = std::move(*read);
    }
    const Result<std::string> bytes = readWholeFile(from, kSessionBytes);
    FOVEA_TRY(bytes);
    Result<fovea::Session> state = sessionFromJson(*bytes);
    if (!state)
        return badUsage(from + ": " + state.error().message);
    if (!options.run.model.empty() || state->request.modelPath.empty()) {
        Result<std::string> model = findModel(options.run.model);
        FOVEA_TRY(model);
        state->request.modelPath = std::move(*model);
    }
    const WorkContext work = session.work(1, options.output.quiet);
    const Result<Inspection> seen = inspectUnhashed(state->request.modelPath, work);
    FOVEA_TRY(seen);
    const Result<Tokens> tokens = tokenizeText(*seen->model, state->request, work);
    FOVEA_TRY(tokens);
    const Result<std::string> written =
        withStep(before, {*state, tokens->size(), options.title, options.say});
    if (!written)
        return badUsage(path + ": " + written.error().message);
    FOVEA_TRY(save(path, *written));
    session.clearProgress();
    const Result<Lesson> read = lessonFromJson(*written);
    FOVEA_TRY(read);
    CheckedLesson now;
    now.tokens = read->text.tokens;
    now.lesson = std::make_shared<const Lesson>(std::move(*read));
    return deliver(options.output, lessonsJson({&now, 1}),
                   path + (before.empty() ? " is a new lesson with one step" : " has one step more") +
                       "; fovea lesson check " + path + " reads it\n");
}

Outcome<> run(const Options& options, Session& session) {
    OutputFiles files;
    files.add("--out", options.output.out);
    for (const std::string& file : options.files)
        files.keep("the file", file);
    FOVEA_TRY(files.check());
    if (options.action == "new")
        return record(options, session);
    if (options.action == "list" && options.files.empty())
        return list(options);
    if (options.action == "quantities" && options.files.empty())
        return deliver(options.output, quantitiesJson(), quantityTable());
    if (options.action == "check")
        return check(options, session);
    if (options.action == "list" || options.action == "quantities")
        return badUsage("lesson " + options.action + " takes no file; \"" + options.files.front() +
                        "\" is given");
    return badUsage("lesson has no action \"" + options.action +
                    "\"; list, check, new and quantities are accepted");
}

} // namespace

Command addLesson(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app = program.add_subcommand(
        "lesson",
        "The lessons of the window's menu Learn. list: what there is; check: runs all steps of lessons "
        "without a display, computes every number and prints what a learner would read; quantities: "
        "the numbers that a lesson may name.");
    app->add_option("ACTION", options->action, "list, check, new or quantities.")
        ->group("Lesson")
        ->required();
    app->add_option(
           "FILE", options->files,
           "Lesson files, or numbers or names of lessons that come with Fovea. Without: all of those.")
        ->group("Lesson");
    app->add_flag("--no-model", options->noModel,
                  "Run no model: counts refer to the shape of SmolLM2-135M-Instruct, and what needs a run is "
                  "reported.");
    app->add_option("--title", options->title, "new: the title of the step.")
        ->type_name("TEXT")
        ->group("Lesson");
    app->add_option("--say", options->say, "new: its paragraph.")->type_name("TEXT")->group("Lesson");
    addRunOptions(*app, options->run);
    addOutputOptions(*app, options->output, "Also write what is printed as JSON to this file.");
    app->footer("Examples:\n  fovea lesson list\n  fovea lesson check 3\n  fovea lesson check mine.json\n"
                "  fovea lesson new mine.json saved.json --title \"The band\" --say \"Look at the edge.\"");
    return {app, [options](Session& session) { return run(*options, session); }};
}

} // namespace fovea::app
