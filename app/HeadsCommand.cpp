#include "app/Command.h"
#include "app/Output.h"
#include "app/RunText.h"
#include "app/Usage.h"
#include "core/engine/Engine.h"
#include "core/engine/HeadMetric.h"
#include "core/export/HeadsJson.h"
#include <algorithm>
#include <cstdio>

namespace fovea::app {

namespace {

struct Options {
    TextRunOptions text;
    std::string by = "kept-mass";
    std::string top = "20";
};

std::string metricNames() {
    std::string names;
    for (const HeadMetricSpec& spec : headMetrics())
        if (*spec.id != 0)
            names.append(names.empty() ? "" : ", ").append(spec.id);
    return names;
}

std::string table(const HeadMetricSpec& metric, const std::vector<RankedHead>& heads, std::size_t all) {
    std::string text = std::string(metric.name) + ": " + metric.definition + "\n\n  rank  head         " +
                       metric.name + "\n";
    char line[96];
    for (std::size_t i = 0; i < heads.size(); ++i) {
        const std::string head = "L" + std::to_string(heads[i].layer) + " H" + std::to_string(heads[i].head);
        std::snprintf(line, sizeof line, "%6zu  %-11s %12.6g\n", i + 1, head.c_str(), heads[i].value);
        text += line;
    }
    return text + std::to_string(heads.size()) + " of " + std::to_string(all) + " heads\n";
}

Outcome<> run(const Options& options, Session& session) {
    const HeadMetricSpec* const metric = findHeadMetric(options.by);
    if (metric == nullptr)
        return badUsage("--by is \"" + options.by + "\"; accepted are " + metricNames());
    Outcome<std::int64_t> top = parseWhole("--top", options.top, 1, 1'000'000);
    FOVEA_TRY(top);
    OutputFiles files;
    files.add("--out", options.text.output.out);
    Outcome<TextRun> made = prepareRun(options.text, "default", files, session);
    FOVEA_TRY(made);
    TextRun& run = *made;
    run.request.depth = metric->ofPolicy ? Depth::Isolated : Depth::Visible;
    run.request.headStats = !metric->ofPolicy;
    if (!metric->ofPolicy && options.text.policy.given())
        printNote(std::string(metric->id) + " is of full attention; the policy does not change it",
                  options.text.output.quiet);
    Engine engine;
    FOVEA_TRY(runEngine(run, engine, options.text.output.quiet, session));
    const ModelShape& shape = run.snapshot->model->shape;
    std::vector<std::optional<double>> values;
    for (int layer = 0; layer < shape.layers; ++layer)
        for (int head = 0; head < shape.heads; ++head)
            values.push_back(headValue(*run.snapshot, metric->metric, layer, head));
    std::vector<RankedHead> ranked = rankHeads(metric->metric, shape.heads, values);
    const std::size_t all = ranked.size();
    session.clearProgress();
    const std::string json = headsJson(run.head(), *metric, ranked);
    ranked.resize(std::min(all, static_cast<std::size_t>(*top)));
    return deliver(options.text.output, json, table(*metric, ranked, all));
}

} // namespace

Command addHeads(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app = program.add_subcommand(
        "heads", "Ranks the heads of the model on a text: which matter, how sparse they are, what the policy "
                 "loses in them. Without a policy option: the preset \"default\".");
    app->add_option("--by", options->by, "The measure: " + metricNames() + ". Default: kept-mass.")
        ->type_name("METRIC")
        ->group("What");
    app->add_option("--top", options->top, "How many lines the table has; the JSON has all. Default: 20.")
        ->type_name("N")
        ->group("What");
    addTextRunOptions(*app, options->text, "Also write the JSON document to this file.");
    app->footer("Examples:\n  fovea heads page.txt\n  fovea heads page.txt --by keys-for-90 --policy full\n"
                "  fovea heads page.txt --by output-error --window 64 --sinks 4");
    return {app, [options](Session& session) { return run(*options, session); }};
}

} // namespace fovea::app
