#include "app/AnalyzeTable.h"
#include "app/Command.h"
#include "app/Interrupt.h"
#include "app/Output.h"
#include "app/Pictures.h"
#include "app/RunText.h"
#include "app/Usage.h"
#include "core/engine/Engine.h"
#include "core/engine/Gates.h"
#include "core/engine/HybridArm.h"
#include "core/engine/Ladder.h"
#include "core/engine/StoredTier.h"
#include "core/export/Report.h"
#include "core/export/RoutingChoices.h"
#include "core/files/AtomicFile.h"
#include <algorithm>
#include <optional>

namespace fovea::app {

namespace {

constexpr std::size_t kGateTokens = 384; // gates run the text several times; `check` takes more
constexpr std::size_t kWarmTokens = 64;

struct Options {
    TextRunOptions text;
    std::string repeat = "1";
    std::string ladderSteps = "16";
    std::string layer;
    std::string head = "0";
    bool routingFull = false;
    bool routingRows = false;
};

/// Readings of one arm over several runs.
class ArmTimes {
public:
    void add(const ArmCost& cost) {
        m_total.push_back(cost.total.median);
        m_attention.push_back(cost.attention.median);
        m_router.push_back(cost.router.median);
        m_plan.push_back(cost.plan.median);
    }
    void into(ArmCost& cost) const {
        cost.total = medianOf(m_total);
        cost.attention = medianOf(m_attention);
        cost.router = medianOf(m_router);
        cost.plan = medianOf(m_plan);
    }

private:
    std::vector<double> m_total, m_attention, m_router, m_plan;
};

/// Runs both arms again in turn and puts median and spread of all runs into the snapshot.
Outcome<std::shared_ptr<const Snapshot>> repeated(const TextRun& run, int times) {
    const Snapshot& first = *run.snapshot;
    ArmTimes full;
    ArmTimes hybrid;
    Request request = run.request;
    request.headStats = false;
    int n = 0;
    if (!run.request.headStats) { // a run that also makes the pictures of the heads does not measure full
                                  // attention alone
        full.add(first.full->cost);
        hybrid.add(first.propagated->cost.hybrid);
        ++n;
    }
    for (; n < times; ++n) {
        Result<std::shared_ptr<const FullRun>> again =
            runFull(*first.model, *first.tokens, request, {}, run.work, keepsNoLayer);
        FOVEA_TRY(again);
        full.add((*again)->cost);
        Result<PropagatedResult> other = runPropagated(first, run.policy, run.work);
        FOVEA_TRY(other);
        hybrid.add(other->cost.hybrid);
    }
    auto result = std::make_shared<Snapshot>(first);
    auto fullRun = std::make_shared<FullRun>(*first.full);
    full.into(fullRun->cost);
    auto propagated = std::make_shared<PropagatedResult>(*first.propagated);
    propagated->cost.full = fullRun->cost;
    hybrid.into(propagated->cost.hybrid);
    finishCost(propagated->cost, first.model->shape, run.policy, first.tokens->size());
    if (first.against && first.against->propagated) { // compared with the same full run
        auto against = std::make_shared<AgainstResult>(*first.against);
        auto armA = std::make_shared<PropagatedResult>(*against->propagated);
        armA->cost.full = fullRun->cost;
        finishCost(armA->cost, first.model->shape, against->policy, first.tokens->size());
        against->propagated = std::move(armA);
        result->against = std::move(against);
    }
    result->full = std::move(fullRun);
    result->propagated = std::move(propagated);
    return result;
}

/// routing.csv with one row per choice, layer by layer.
Outcome<> saveRoutingChoices(const TextRun& run, const std::string& path) {
    const auto output = [](const Error& error) {
        return error.code == ErrorCode::Io ? Failure(kFailed, error.message) : Failure(error);
    };
    const SaveGuard guard;
    Result<AtomicFile> file = AtomicFile::create(path);
    if (!file)
        return tl::make_unexpected(output(file.error()));
    Result<> done = file->append(routingChoicesHeader());
    if (done)
        done = watchHybrid(
            *run.snapshot, run.policy,
            [&](const WatchedLayer& layer) -> Result<> {
                if (!layer.plan.routing)
                    return {};
                return file->append(routingChoicesCsv(*layer.plan.routing, run.snapshot->model->shape));
            },
            run.work);
    if (done)
        done = file->commit();
    if (!done)
        return tl::make_unexpected(output(done.error()));
    return {};
}

/// What `--out` writes beside the pictures; the last only where the build draws them.
std::vector<std::string> dataPaths(const std::string& folder) {
    return {folder + "/report.json", folder + "/routing.csv", folder + "/report.html"};
}

Outcome<> saveFolder(const TextRun& run, const Options& options, const std::string& report,
                     Session& session) {
    const std::string& folder = options.text.output.out;
    const RoutingRecord& routing = *run.snapshot->propagated->routing;
    std::vector<std::string> paths = dataPaths(folder);
    FOVEA_TRY(save(paths[0], report));
    if (options.routingFull)
        FOVEA_TRY(saveRoutingChoices(run, paths[1]));
    else
        FOVEA_TRY(save(paths[1], routingCsv(routing, run.snapshot->model->shape)));
    session.clearProgress();
    if (drawsPictures()) {
        FOVEA_TRY(saveReport(*run.snapshot, paths[2]));
        Outcome<std::vector<std::string>> pictures = savePictures(*run.snapshot, folder);
        FOVEA_TRY(pictures);
        paths.insert(paths.end(), pictures->begin(), pictures->end());
    } else {
        paths.pop_back();
        printNote("this build has no pictures (FOVEA_CORE_ONLY); report.json and routing.csv are written",
                  options.text.output.quiet);
    }
    if (options.text.output.json)
        return {};
    std::string list = "\nwritten:";
    for (const std::string& path : paths)
        list += " " + path;
    return print(list + "\n");
}

Outcome<> run(const Options& options, Session& session) {
    const OutputOptions& output = options.text.output;
    Outcome<std::int64_t> repeat = parseWhole("--repeat", options.repeat, 1, 1000);
    FOVEA_TRY(repeat);
    Outcome<std::int64_t> ladderSteps = parseWhole("--ladder-steps", options.ladderSteps, 0, 100000);
    FOVEA_TRY(ladderSteps);
    if (options.routingFull && output.out.empty())
        return badUsage("--routing-full is given without --out; the expanded record goes into a folder");
    Outcome<TextRun> made = prepareRun(options.text, "default", {}, session);
    FOVEA_TRY(made);
    TextRun& run = *made;
    if (!output.out.empty()) {
        FOVEA_TRY(makeFolder(output.out));
        OutputFiles files;
        for (const std::string& path : dataPaths(output.out))
            files.add("--out", path);
        files.keep("the text", options.text.text.file);
        FOVEA_TRY(files.check());
    }

    // A short full run first, because libraries initialise themselves on first use, which should not be
    // measured.
    Engine engine;
    Request warm = run.request;
    warm.maxTokens = kWarmTokens;
    warm.policy = AttentionPolicy{};
    warm.against.reset();
    warm.other.reset();
    Result<std::shared_ptr<const Snapshot>> warmed = engine.run(warm, {}, run.work);
    FOVEA_TRY(warmed);
    const ModelShape& shape = (*warmed)->model->shape;
    run.request.visible.layer = shape.layers / 2;
    if (!options.layer.empty()) {
        Outcome<std::int64_t> layer = parseWhole("--layer", options.layer, 0, shape.layers - 1);
        FOVEA_TRY(layer);
        run.request.visible.layer = static_cast<int>(*layer);
    }
    Outcome<std::int64_t> head = parseWhole("--head", options.head, 0, shape.heads - 1);
    FOVEA_TRY(head);
    run.request.visible.head = static_cast<int>(*head);
    warmed = std::shared_ptr<const Snapshot>();
    run.request.depth = Depth::Propagated;
    run.request.headStats = !output.out.empty() && drawsPictures();
    FOVEA_TRY(runEngine(run, engine, output.quiet, session));
    if (*repeat > 1) {
        Outcome<std::shared_ptr<const Snapshot>> timed = repeated(run, static_cast<int>(*repeat));
        FOVEA_TRY(timed);
        run.snapshot = std::move(*timed);
    }
    std::optional<Ladder> ladder;
    if (*ladderSteps > 0 && run.snapshot->model->shape.predictsTokens() &&
        run.snapshot->tokens->size() >= 4) {
        Result<Ladder> timed =
            runLadder(*run.snapshot, run.policy, static_cast<std::size_t>(*ladderSteps), run.work);
        FOVEA_TRY(timed);
        ladder = *timed;
    }
    const Ladder* timed = ladder ? &*ladder : nullptr;
    Result<std::vector<GateResult>> gates =
        checkGates(*run.snapshot, run.policy, kGateTokens, run.work, timed, false);
    FOVEA_TRY(gates);
    std::optional<StoredTier> stored;
    if (run.policy.storesDirections()) {
        Result<StoredTier> measured = measureStoredTier(*run.snapshot, run.policy, run.work);
        FOVEA_TRY(measured);
        stored = *measured;
    }
    const StoredTier* tier = stored ? &*stored : nullptr;
    session.clearProgress();
    const std::string report =
        reportJson(*run.snapshot, *gates, Session::threadCount(run.threads), timed, tier,
                   {options.routingRows, output.out.empty() ? "" : "routing.csv"});
    FOVEA_TRY(print(output.json ? report : analyzeTable(*run.snapshot, *gates, timed, tier)));
    return output.out.empty() ? Outcome<>() : saveFolder(run, options, report, session);
}

} // namespace

Command addAnalyze(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app = program.add_subcommand("analyze", "The main job: runs a text with full and with hybrid "
                                                      "attention and says what was saved and what was lost. "
                                                      "Routing record, fidelity, cost and fairness gates. "
                                                      "Without a policy option: the preset \"default\".");
    addTextRunOptions(*app, options->text,
                      "Write report.html, report.json, routing.csv and pictures into this folder.");
    addAgainstOption(*app, options->text);
    addOtherOptions(*app, options->text);
    app->add_option("--repeat", options->repeat,
                    "Time both arms this many times and report median and spread. Default: 1.")
        ->type_name("N")
        ->group("Output");
    app->add_option("--ladder-steps", options->ladderSteps,
                    "Tokens that the ladder (full and hybrid, cached and uncached) generates with each arm; "
                    "0: no ladder. Default: 16.")
        ->type_name("N")
        ->group("Output");
    app->add_flag(
           "--routing-rows", options->routingRows,
           "Put the rows of routing.csv into the report as well, as \"routing\". Default: a summary, since "
           "there can be a million of them.")
        ->group("Output");
    app->add_flag("--routing-full", options->routingFull,
                  "routing.csv with one row per choice instead of one per routed token.")
        ->group("Output");
    app->add_option("--layer", options->layer, "Layer of the pictures. Default: the middle one.")
        ->type_name("L")
        ->group("Output");
    app->add_option("--head", options->head, "Head of the pictures. Default: 0.")
        ->type_name("H")
        ->group("Output");
    app->footer(
        "Examples:\n  fovea analyze page.txt\n  fovea analyze page.txt --out report\n"
        "  fovea analyze page.txt --window 64 --sinks 4 --route group_dot --route-count 16 --repeat 5\n"
        "  fovea analyze page.txt --policy snapkv --against streaming\n"
        "  fovea analyze page.txt --against-text other.txt\n"
        "  fovea analyze - --policy window-sinks --json < page.txt");
    return {app, [options](Session& session) { return run(*options, session); }};
}

} // namespace fovea::app
