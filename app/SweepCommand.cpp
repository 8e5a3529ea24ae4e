#include "app/Command.h"
#include "app/Output.h"
#include "app/PolicyGrid.h"
#include "app/RunText.h"
#include "app/Usage.h"
#include "core/engine/Engine.h"
#include "core/engine/Sweep.h"
#include "core/export/Report.h"
#include <algorithm>
#include <cmath>
#include <cstdio>

namespace fovea::app {

namespace {

struct Options {
    TextRunOptions text;
    PolicyGridOptions grid;
    std::string shard;
    bool noControls = false;
    bool noIsolated = false;
};

/// The requested points: the grid for each base policy, with controls, limited to the shard.
Outcome<std::vector<SweepPoint>> askedPoints(const Options& options, const AttentionPolicy& base,
                                             std::vector<std::string>& notes) {
    Outcome<PolicyGrid> read = readPolicyGrid(options.grid, options.text.policy, base, notes);
    FOVEA_TRY(read);
    SweepPlan plan;
    plan.controls = !options.noControls;
    plan.axes = std::move(read->axes);
    std::vector<SweepPoint> points;
    for (const AttentionPolicy& one : read->bases) {
        plan.base = one;
        Result<std::vector<SweepPoint>> grid = sweepPolicies(plan);
        FOVEA_TRY(grid);
        for (SweepPoint& point : *grid) {
            if (plan.axes.empty() && point.kind == PointKind::Policy && !one.name.empty())
                point.policy.name = one.name;
            points.push_back(std::move(point));
        }
    }
    if (options.shard.empty())
        return points;
    const std::size_t slash = options.shard.find('/');
    const std::string wrong = "--shard is \"" + options.shard + "\"; i/n with 1 <= i <= n is accepted";
    if (slash == std::string::npos)
        return badUsage(wrong);
    Outcome<std::int64_t> count = parseWhole("--shard", options.shard.substr(slash + 1), 1, 10000);
    Outcome<std::int64_t> index =
        parseWhole("--shard", options.shard.substr(0, slash), 0, count ? *count : 0);
    if (!count || !index)
        return badUsage(wrong);
    std::vector<SweepPoint> mine;
    for (std::size_t n = 0; n < points.size(); ++n)
        if ((n + 1) % static_cast<std::size_t>(*count) == static_cast<std::size_t>(*index % *count))
            mine.push_back(std::move(points[n]));
    return mine;
}

std::string kindText(PointKind kind) {
    return kind == PointKind::Policy          ? ""
           : kind == PointKind::RandomControl ? "random control"
                                              : "oracle control";
}

/// Of an encoder: cosines in place of next-token measures.
std::string encoderTable(const std::vector<SweepPoint>& points) {
    std::string text = "  pairs ratio   sentence cosine   token cosine   worst token   seconds\n";
    char line[128];
    for (const SweepPoint& point : points) {
        const SentenceFidelity& f = *point.fidelity.sentence;
        std::snprintf(line, sizeof line, "%c %11.5f   %15.6f   %12.6f   %11.4f   %7.3f   ",
                      point.pareto ? '*' : ' ', point.cost.pairsRatio, f.cosine, f.tokenCosine, f.worstCosine,
                      point.cost.hybrid.total.median);
        text += line + point.policy.summary() + "\n";
    }
    return text + "* no other policy is better in both pairs and sentence cosine\n" +
           "KL, top-1 and loss: none, " + kNoNextToken + "\n";
}

std::string table(const std::vector<SweepPoint>& points) {
    if (!points.empty() && points.front().fidelity.sentence)
        return encoderTable(points);
    std::string text = "  pairs ratio   next-token KL   top-1     delta loss   seconds\n";
    char line[128];
    for (const SweepPoint& point : points) {
        std::snprintf(line, sizeof line, "%c %11.5f   %13.6f   %6.4f   %+10.5f   %7.3f   ",
                      point.pareto ? '*' : ' ', point.cost.pairsRatio, point.fidelity.nextTokenKl,
                      point.fidelity.top1Agreement, point.fidelity.deltaNll, point.cost.hybrid.total.median);
        const std::string kind = kindText(point.kind);
        text += line + point.policy.summary() + (kind.empty() ? "" : "  (" + kind + ")") + "\n";
    }
    return text + "* no other policy is better in both pairs (router included) and KL\n";
}

/// Where the points go while the sweep runs. Both files are replaced after each point, so whatever ends the
/// program, the points done are there.
class PointFiles {
public:
    /// NAME.json gets the document, with a table in NAME.csv beside it; NAME.csv gets the table alone.
    static Outcome<PointFiles> named(const std::string& out) {
        PointFiles files;
        if (out.ends_with(".json")) {
            files.m_json = out;
            files.m_csv = out.substr(0, out.size() - 5) + ".csv";
        } else if (out.ends_with(".csv")) {
            files.m_csv = out;
        } else if (!out.empty()) {
            return badUsage("--out is \"" + out + "\"; a name that ends in .json or .csv is accepted");
        }
        return files;
    }
    [[nodiscard]] OutputFiles outputs() const {
        OutputFiles files;
        files.add("--out", m_json);
        files.add("--out", m_csv);
        return files;
    }
    Outcome<> write(const Snapshot& snapshot, std::vector<SweepPoint>& points, int threads) const {
        markPareto(points);
        if (!m_json.empty())
            FOVEA_TRY(save(m_json, sweepJson(snapshot, points, threads)));
        if (!m_csv.empty())
            FOVEA_TRY(save(m_csv, sweepCsv(points)));
        return {};
    }
    [[nodiscard]] const std::string& first() const { return m_json.empty() ? m_csv : m_json; }

private:
    std::string m_json, m_csv;
};

Outcome<> run(const Options& options, Session& session) {
    const OutputOptions& output = options.text.output;
    FOVEA_TRY(checkPolicyGrid(options.grid, options.text.policy));
    Outcome<PointFiles> files = PointFiles::named(output.out);
    FOVEA_TRY(files);
    Outcome<TextRun> made = prepareRun(options.text, "", files->outputs(), session);
    FOVEA_TRY(made);
    TextRun& run = *made;
    std::vector<std::string> notes;
    Outcome<std::vector<SweepPoint>> points = askedPoints(options, run.policy, notes);
    FOVEA_TRY(points);
    for (const std::string& note : notes)
        printNote(note, output.quiet);
    Engine engine;
    FOVEA_TRY(runEngine(run, engine, output.quiet, session));

    std::size_t done = 0;
    Outcome<> saved;
    const int threads = Session::threadCount(run.threads);
    WorkContext quietWork = run.work;
    quietWork.progress = {};
    const Result<> swept = runSweep(
        *run.snapshot, *points, !options.noIsolated,
        [&](std::size_t) {
            ++done;
            run.work.report("policies", static_cast<double>(done), static_cast<double>(points->size()));
            if (saved)
                saved = files->write(*run.snapshot, *points, threads);
        },
        quietWork);
    session.clearProgress();
    if (!swept && done > 0 && saved && !files->first().empty())
        printNote(std::to_string(done) + " of " + std::to_string(points->size()) + " points are in " +
                      files->first(),
                  output.quiet);
    FOVEA_TRY(swept);
    markPareto(*points);
    if (points->empty())
        saved = files->write(*run.snapshot, *points, threads);
    // The points are printed also where they could not be saved.
    FOVEA_TRY(print(output.json ? sweepJson(*run.snapshot, *points, threads) : table(*points)));
    return saved;
}

} // namespace

Command addSweep(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app = program.add_subcommand(
        "sweep", "Cost against fidelity over many policies. A grid or a list of policies on one text, with "
                 "the Pareto set, and the "
                 "random and the oracle router at the same budget beside each routed point.");
    app->add_option("--over", options->grid.over,
                    "Vary one policy option; repeatable. first:last:xfactor, first:last:step or a list: "
                    "window=16:4096:x2, "
                    "route-count=0,8,32, route=group_dot,key_norm.")
        ->type_name("OPTION=VALUES")
        ->group("Grid")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app->add_option("--policies", options->grid.list,
                    "A list of presets or policy files instead of one base policy.")
        ->type_name("NAME|FILE,...")
        ->group("Grid")
        ->delimiter(',')
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app->add_option("--shard", options->shard, "Run only every n-th point, starting at the i-th (from 1).")
        ->type_name("I/N")
        ->group("Grid");
    app->add_flag("--no-controls", options->noControls, "Leave out the random and oracle routers.")
        ->group("Grid");
    app->add_flag("--no-isolated", options->noIsolated,
                  "Leave out kept mass and output error, which need a second pass.")
        ->group("Grid");
    addTextRunOptions(*app, options->text,
                      "Write the points to this file as they are done: NAME.json is the JSON document, with "
                      "a table in NAME.csv "
                      "beside it; NAME.csv is the table alone.");
    app->footer("Examples:\n  fovea sweep page.txt --over window=16:1024:x2 --over route-count=0,8,32\n"
                "  fovea sweep page.txt --policies window,window-sinks,default --out points.json\n"
                "  fovea sweep page.txt --policy default --over bits=2,3,4,8 --json");
    return {app, [options](Session& session) { return run(*options, session); }};
}

} // namespace fovea::app
