#include "app/AnalyzeTable.h"
#include "app/Command.h"
#include "app/Output.h"
#include "app/RunText.h"
#include "app/Usage.h"
#include "core/engine/Engine.h"
#include "core/engine/Gates.h"
#include "core/export/Report.h"

namespace fovea::app {

namespace {

/// The text if none is given. Long enough that a window of 128 does not cover all of it.
constexpr const char* kText = "The lighthouse keeper wrote down every ship that passed. On the first of "
                              "March, the brig Alma came in at dawn with "
                              "salt and rope; the harbour master, Ida Brandt, signed for both. On the "
                              "second, nothing moved: fog lay on the water "
                              "until evening, and the keeper noted only the bell, once every minute. On the "
                              "third, two barges carried coal to the "
                              "mill, and a boy on the second barge waved a red cloth. The keeper's hand was "
                              "steady, his spelling was not, and his "
                              "numbers never added up at the end of a month. When the inspector came in "
                              "April he asked three questions: which ship "
                              "brought the rope, who signed for it, and on what day the bell was rung. The "
                              "keeper turned the pages back, past the "
                              "coal, past the red cloth, past the fog, until he found the line. \"The "
                              "Alma,\" he read, \"salt and rope, signed by Ida "
                              "Brandt, the first of March.\" Then he turned one page forward and put his "
                              "finger on the bell. The inspector closed "
                              "his own book. \"You could have told me without reading,\" he said. \"I "
                              "could,\" said the keeper, \"but then you would "
                              "have had to believe me.\"\n";

struct Options {
    TextRunOptions text;
    bool noLadder = false;
};

Outcome<> run(Options& options, Session& session) {
    const OutputOptions& output = options.text.output;
    const bool ownText = options.text.text.file.empty() && options.text.text.textOption->count() == 0;
    if (ownText)
        options.text.text.textOption->add_result(kText), options.text.text.text = kText;
    OutputFiles files;
    files.add("--out", output.out);
    Outcome<TextRun> made = prepareRun(options.text, "default", files, session);
    FOVEA_TRY(made);
    TextRun& run = *made;
    Engine engine;
    FOVEA_TRY(runEngine(run, engine, output.quiet, session));
    Result<std::vector<GateResult>> gates =
        checkGates(*run.snapshot, run.policy, run.request.maxTokens, run.work, nullptr, !options.noLadder);
    FOVEA_TRY(gates);
    session.clearProgress();
    FOVEA_TRY(deliver(output, checkJson(*run.snapshot, *gates, Session::threadCount(run.threads)),
                      std::to_string(run.snapshot->tokens->size()) + " tokens, " + run.policy.summary() +
                          "\n" + gatesTable(*gates)));
    for (const GateResult& gate : *gates)
        if (gate.ok && !*gate.ok)
            return workFailed("gate " + std::to_string(gate.gate) + " (" + gate.name +
                              ") failed: " + gate.detail);
    return {};
}

} // namespace

Command addCheck(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app = program.add_subcommand(
        "check",
        "Runs the fairness gates on this model and policy and prints each with its number. Exit status 1 "
        "when a gate "
        "fails. Without a text: a paragraph of its own. Without a policy option: the preset \"default\".");
    options->text.maxTokens = "512"; // the gates run it some twenty times
    addTextRunOptions(*app, options->text, "Also write the JSON document to this file.");
    app->add_flag("--no-ladder", options->noLadder,
                  "Do not time gate 4's ladder (cached and uncached steps of both arms), which takes most of "
                  "the time; the "
                  "gate then says that it was not run.");
    app->footer("Examples:\n  fovea check\n  fovea check page.txt --policy window-sinks --json");
    return {app, [options](Session& session) { return run(*options, session); }};
}

} // namespace fovea::app
