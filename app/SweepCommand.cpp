#include "app/ArrayJob.h"
#include "app/Command.h"
#include "app/Output.h"
#include "app/PolicyGrid.h"
#include "app/SweepFiles.h"
#include "app/Texts.h"
#include "app/Usage.h"
#include "core/engine/Engine.h"
#include "core/export/SweepFile.h"
#include "core/files/Sha256.h"
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

namespace fovea::app {

namespace {

struct Options {
    TextRunOptions text;
    TextList texts;
    PolicyGridOptions grid;
    std::string shard, slurm, shards = "8";
    const CLI::App* command = nullptr; ///< as it was given, for an array job
    bool noControls = false;
    bool noIsolated = false;
    bool resume = false;
};

/// The points of one text: the grid for each base policy, with controls.
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
    return points;
}

Outcome<std::optional<SweepShard>> readShard(const std::string& text) {
    if (text.empty())
        return std::optional<SweepShard>();
    const std::size_t slash = text.find('/');
    const std::string wrong = "--shard is \"" + text + "\"; i/n with 1 <= i <= n is accepted";
    if (slash == std::string::npos)
        return badUsage(wrong);
    const Outcome<std::int64_t> count = parseWhole("--shard", text.substr(slash + 1), 1, 10000);
    const Outcome<std::int64_t> index = parseWhole("--shard", text.substr(0, slash), 0, count ? *count : 0);
    if (!count || !index)
        return badUsage(wrong);
    const auto n = static_cast<std::size_t>(*count), i = static_cast<std::size_t>(*index);
    return std::optional(SweepShard{i == 0 ? n : i, n}); // counted from 0, the last one is part 0
}

class SweepRun {
public:
    SweepRun(const Options& options, Session& session) : m_options(options), m_session(session) {}

    Outcome<> run() {
        FOVEA_TRY(open());
        if (!m_options.slurm.empty())
            return writeJob();
        Outcome<> failed;
        for (std::size_t t = 0; t < m_texts.size() && failed; ++t)
            if (asks(t))
                failed = runText(t);
        m_session.clearProgress();
        if (failed && m_newDone == 0)
            failed = m_files.write(m_report);
        const OutputOptions& output = m_options.text.output;
        const std::size_t done = m_report.done(), asked = m_report.asked();
        if (!failed && m_newDone > 0 && m_saved && !m_files.first().empty())
            printNote(std::to_string(done) + " of " + std::to_string(asked) + " points are in " +
                          m_files.first() +
                          (m_files.document().empty() ? "" : "; --resume goes on from there"),
                      output.quiet);
        // What was run before a text that fails is printed all the same, also where it could not be saved.
        if (!failed && (m_newDone == 0 || failed.error().status == kInterrupted))
            return failed;
        for (SweptText& text : m_report.texts)
            markPareto(text.points);
        FOVEA_TRY(print(output.json ? sweepJson(m_report) : sweepTable(m_report)));
        return failed;
    }

private:
    Outcome<> open() {
        FOVEA_TRY(checkPolicyGrid(m_options.grid, m_options.text.policy));
        FOVEA_TRY(checkTexts(m_options.texts, m_options.text));
        Outcome<std::optional<SweepShard>> shard = readShard(m_options.shard);
        FOVEA_TRY(shard);
        m_report.shard = *shard;
        Outcome<SweepFiles> files = SweepFiles::named(m_options.text.output.out);
        FOVEA_TRY(files);
        m_files = std::move(*files);
        if (m_options.resume && m_files.document().empty())
            return badUsage("--resume is given without a document to go on from; --out NAME.json is accepted "
                            "with it");
        OutputFiles outputs = m_files.outputs();
        if (!m_options.slurm.empty()) {
            FOVEA_TRY(openJob());
            outputs = m_job.outputs();
        }
        for (const std::string& name : m_options.grid.list)
            outputs.keep("one of --policies", name);
        Outcome<std::vector<NamedText>> texts =
            prepareTexts(m_options.texts, m_options.text, "", std::move(outputs), m_session);
        FOVEA_TRY(texts);
        m_texts = std::move(*texts);
        m_report.predictsTokens = m_texts.front().run.card->shape.predictsTokens();
        std::vector<std::string> notes;
        Outcome<std::vector<SweepPoint>> points = askedPoints(m_options, m_texts.front().run.policy, notes);
        FOVEA_TRY(points);
        for (const std::string& note : notes)
            printNote(note, m_options.text.output.quiet);
        m_report.gridPoints = points->size();
        if (points->size() > kMostSweepPoints / m_texts.size())
            return badUsage("the sweep has " + std::to_string(points->size()) + " points on each of " +
                            std::to_string(m_texts.size()) + " texts; at most " +
                            std::to_string(kMostSweepPoints) + " points in all are accepted");
        for (std::size_t t = 0; t < m_texts.size(); ++t) {
            SweptText& text = m_report.texts.emplace_back();
            text.name = m_texts[t].name;
            for (std::size_t before = 0; before < t; ++before)
                if (m_report.texts[before].name == text.name)
                    return badUsage(text.name + " is named twice; each text once is accepted");
            text.textHash = sha256Hex(*m_texts[t].run.request.text);
            text.heldOut = t >= m_options.texts.own();
            text.points = *points;
        }
        if (m_options.resume)
            FOVEA_TRY(resume());
        return {};
    }

    /// What an array job needs to know, before any work.
    Outcome<> openJob() {
        if (!m_options.shard.empty() || m_options.resume || !m_files.first().empty() ||
            m_options.text.output.json)
            return badUsage(
                "--slurm writes its own --shard, --out and --resume; none of them and no --json is "
                "accepted with it");
        for (const std::string& name : m_options.texts.files)
            if (name == "-")
                return badUsage(
                    "--slurm needs texts that every shard can read; a file or --text is accepted in "
                    "the place of standard input");
        const Outcome<std::int64_t> shards = parseWhole("--shards", m_options.shards, 1, 10000);
        FOVEA_TRY(shards);
        m_job.shards = static_cast<std::size_t>(*shards);
        std::error_code failed;
        m_job.folder = std::filesystem::weakly_canonical(m_options.slurm, failed).string();
        m_job.workingFolder = std::filesystem::current_path(failed).string();
        const std::string program = std::filesystem::read_symlink("/proc/self/exe", failed).string();
        if (program.empty() || m_job.folder.empty() || m_job.workingFolder.empty())
            return workFailed("cannot tell the paths of the program and of " + m_options.slurm);
        if (m_job.folder.find_first_of(" \t\n\"'\\%") != std::string::npos)
            return badUsage(
                "--slurm is " + m_job.folder +
                "; a path without spaces, quotes, backslashes and per cent signs is accepted, since "
                "Slurm reads it from a comment");
        FOVEA_TRY(makeFolder(m_options.slurm));
        m_job.program = program;
        return {};
    }

    /// Says what the sweep takes, from one full run of the first text, and writes the scripts.
    Outcome<> writeJob() {
        TextRun& run = m_texts.front().run;
        m_job.threads = Session::threadCount(run.threads);
        std::error_code failed;
        m_job.words = {"--model", // a node need not have the same default
                       std::filesystem::absolute(run.request.modelPath, failed).string()};
        const std::vector<std::string> words =
            givenWords(*m_options.command, {"--slurm", "--shards", "--threads", "--model", "--quiet"});
        m_job.words.insert(m_job.words.end(), words.begin(), words.end());
        FOVEA_TRY(runEngine(run, m_engine, m_options.text.output.quiet, m_session));
        const ArmCost& full = run.snapshot->full->cost;
        const double texts = textsOfFirst(*run.snapshot->tokens);
        const double point = full.total.median + (m_options.noIsolated ? 0 : full.attention.median);
        const double points = static_cast<double>(m_report.gridPoints) * texts;
        const double seconds = points * point + static_cast<double>(m_job.shards) * texts * full.total.median;
        char line[256];
        std::snprintf(
            line, sizeof line,
            "about %.3g core-hours: %zu points and the full runs of %zu shards on %d threads, from one "
            "full run of %zu tokens here\n",
            seconds * m_job.threads / 3600, m_report.asked(), m_job.shards, m_job.threads,
            run.snapshot->tokens->size());
        FOVEA_TRY(print(line));
        FOVEA_TRY(save(m_job.sweepPath(), m_job.sweepScript()));
        FOVEA_TRY(save(m_job.mergePath(), m_job.mergeScript()));
        return print("Slurm:  sbatch " + m_job.sweepPath() + "\nelse:   bash " + m_job.sweepPath() +
                     " NUMBER, for each of 1 to " + std::to_string(m_job.shards) + "\nthen:   bash " +
                     m_job.mergePath() + "\n");
    }

    /// How many texts of as many tokens as the first one's run are together as long as all texts, as far as
    /// --max-tokens lets them be read. Lengths in tokens are estimated from the bytes.
    [[nodiscard]] double textsOfFirst(const Tokens& first) const {
        const auto run = static_cast<double>(first.size());
        const double perByte = run / std::max<double>(1, static_cast<double>(first.spans.back().end));
        double tokens = 0;
        for (const NamedText& text : m_texts) {
            const Request& request = text.run.request;
            const double all = static_cast<double>(request.text->size()) * perByte;
            tokens += request.maxTokens > 0 ? std::min(all, static_cast<double>(request.maxTokens)) : all;
        }
        return tokens / run;
    }

    /// The points that an earlier run of this sweep has written.
    Outcome<> resume() {
        Outcome<std::optional<SweepReport>> earlier = m_files.read();
        FOVEA_TRY(earlier);
        if (!*earlier) // the first run
            return {};
        if ((*earlier)->shard != m_report.shard)
            return otherSweep("it is another shard");
        if (const Result<> same = sameSweep(m_report, **earlier); !same)
            return otherSweep(same.error().message);
        takePoints(**earlier, m_report);
        m_earlier = std::move(**earlier);
        return {};
    }

    [[nodiscard]] tl::unexpected<Failure> otherSweep(const std::string& why) const {
        return badUsage(m_files.document() + " holds another sweep: " + why +
                        "; another --out, or the options that it was begun with, are accepted");
    }

    /// Whether a text is to be run: it has points to do, or it is the first one of this shard. That one is
    /// always run, since the head of the document and what was resumed are checked with it.
    [[nodiscard]] bool asks(std::size_t t) const {
        const std::size_t first = t * m_report.gridPoints;
        bool own = false;
        for (std::size_t n = 0; n < m_report.gridPoints; ++n)
            if (m_report.asks(first + n)) {
                own = true;
                if (!m_report.texts[t].points[n].done)
                    return true;
            }
        return m_report.head.keys.empty() && (own || t + 1 == m_texts.size());
    }

    Outcome<> runText(std::size_t t) {
        TextRun& run = m_texts[t].run;
        SweptText& text = m_report.texts[t];
        const int threads = Session::threadCount(run.threads);
        FOVEA_TRY(runEngine(run, m_engine, m_options.text.output.quiet, m_session));
        const Snapshot& snapshot = *run.snapshot;
        if (m_report.head.keys.empty()) {
            m_report.head = sweepHead(snapshot, threads, m_texts.size() == 1, !m_options.noIsolated);
            if (m_earlier)
                if (const Result<> same = sameSweep(m_report, *m_earlier); !same)
                    return otherSweep(same.error().message);
        }
        if (text.tokens > 0 && text.tokens != snapshot.tokens->size())
            return otherSweep(text.name + " had " + std::to_string(text.tokens) + " tokens, not " +
                              std::to_string(snapshot.tokens->size()));
        text.tokens = snapshot.tokens->size();
        text.pastContext = snapshot.pastContext;
        text.full = snapshot.full->cost;
        std::vector<SweepPoint> points;
        std::vector<std::size_t> places;
        for (std::size_t n = 0; n < text.points.size(); ++n)
            if (m_report.asks(t * m_report.gridPoints + n) && !text.points[n].done) {
                points.push_back(text.points[n]);
                places.push_back(n);
            }
        const auto asked = static_cast<double>(m_report.asked());
        auto done = static_cast<double>(m_report.done());
        WorkContext quietWork = run.work;
        quietWork.progress = {};
        const Result<> swept = runSweep(
            snapshot, points, !m_options.noIsolated,
            [&](std::size_t n) {
                text.points[places[n]] = points[n];
                ++m_newDone;
                run.work.report("policies", ++done, asked);
                if (m_saved)
                    m_saved = m_files.write(m_report);
            },
            quietWork);
        run.snapshot.reset(); // the next text needs its room
        FOVEA_TRY(swept);
        return m_saved;
    }

    const Options& m_options;
    Session& m_session;
    SweepFiles m_files;
    std::vector<NamedText> m_texts;
    SweepReport m_report;
    std::optional<SweepReport> m_earlier; ///< what was read back
    std::size_t m_newDone = 0;
    Outcome<> m_saved; ///< whether what is done is in the files
    ArrayJob m_job;
    Engine m_engine;
};

Outcome<> run(const Options& options, Session& session) {
    return SweepRun(options, session).run();
}

} // namespace

Command addSweep(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app = program.add_subcommand(
        "sweep",
        "Cost against fidelity over many policies. A grid or a list of policies on one or more texts, with "
        "the "
        "Pareto set of each text, and the random and the oracle router at the same budget beside each routed "
        "point.");
    addTexts(*app, options->texts, options->text, "The texts; - is standard input.");
    addHeldOut(*app, options->texts, "A further text, whose points are marked as held out; repeatable.");
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
    app->add_option(
           "--shard", options->shard,
           "Run only every n-th point, starting at the i-th (from 1). The points are counted text by "
           "text. \"fovea merge\" joins the files.")
        ->type_name("I/N")
        ->group("Grid");
    app->add_flag(
           "--resume", options->resume,
           "Go on from the points that are already in the document of --out; begin where there is none.")
        ->group("Grid");
    app->add_option(
           "--slurm", options->slurm,
           "Run nothing: say how many core-hours the sweep takes, and write into this folder an array "
           "job that runs it in shards (sweep.sh, for Slurm and any other scheduler) and merge.sh, which "
           "joins them.")
        ->type_name("DIR")
        ->group("Grid");
    app->add_option("--shards", options->shards, "How many shards --slurm cuts the sweep into. Default: 8.")
        ->type_name("N")
        ->group("Grid");
    options->command = app;
    app->add_flag("--no-controls", options->noControls, "Leave out the random and oracle routers.")
        ->group("Grid");
    app->add_flag("--no-isolated", options->noIsolated,
                  "Leave out kept mass and output error, which need a second pass.")
        ->group("Grid");
    addPolicyOptions(*app, options->text.policy);
    addRunOptions(*app, options->text.run);
    addOutputOptions(*app, options->text.output,
                     "Write the points to this file as they are done: NAME.json is the JSON document, with a "
                     "table in NAME.csv beside it; NAME.csv is the table alone.");
    app->footer(
        "Examples:\n  fovea sweep page.txt --over window=16:1024:x2 --over route-count=0,8,32\n"
        "  fovea sweep page.txt --policies window,window-sinks,default --out points.json\n"
        "  fovea sweep page.txt --policy default --over bits=2,3,4,8 --json\n"
        "  fovea sweep page.txt other.txt --over window=16:1024:x2 --shard 1/4 --out 1.json --resume");
    return {app, [options](Session& session) { return run(*options, session); }};
}

} // namespace fovea::app
