#include "app/AgainCommand.h"
#include "app/Command.h"
#include "app/Output.h"
#include "app/PolicyGrid.h"
#include "app/Texts.h"
#include "app/TuneFolder.h"
#include "app/TuneTable.h"
#include "app/Usage.h"
#include "core/base/Memory.h"
#include "core/engine/Engine.h"
#include "core/engine/RetrievalHeads.h"
#include "core/export/TuneReport.h"
#include "core/policy/PolicyJson.h"
#include <algorithm>

namespace fovea::app {

namespace {

struct Options {
    TextRunOptions text;
    PolicyGridOptions grid;
    TextList texts;
    std::string withinKl, withinPairs, runs = "16", rows = "128", seedOfSearch = "1";
    bool sensitivity = false, budgets = false;
};

Outcome<TuneOptions> readOptions(const Options& options) {
    TuneOptions tune;
    Outcome<std::optional<double>> kl = parseReal("--within-kl", options.withinKl);
    FOVEA_TRY(kl);
    Outcome<std::optional<double>> pairs = parseReal("--within-pairs", options.withinPairs);
    FOVEA_TRY(pairs);
    tune.goal = {*kl, *pairs};
    if (const Result<> legal = checkGoal(tune.goal, 0); !legal)
        return badUsage("--" + legal.error().message);
    Outcome<std::int64_t> runs = parseWhole("--runs", options.runs, 0, 10000);
    FOVEA_TRY(runs);
    tune.runs = static_cast<std::size_t>(*runs);
    Outcome<std::int64_t> rows = parseWhole("--sampled-rows", options.rows, 8, 1 << 20);
    FOVEA_TRY(rows);
    tune.sampledRows = static_cast<std::size_t>(*rows);
    Outcome<std::int64_t> seed = parseWhole("--search-seed", options.seedOfSearch, 0, 1LL << 53);
    FOVEA_TRY(seed);
    tune.seed = static_cast<std::uint64_t>(*seed);
    return tune;
}

/// The policies to choose from: the grid that was asked for, or the standard space.
Outcome<TuneSpace> spaceOf(const Options& options, const AttentionPolicy& base, const ModelShape& shape,
                           std::size_t tokens, std::vector<std::string>& notes) {
    if (options.grid.list.empty() && options.grid.over.empty() && !options.text.policy.given()) {
        Result<TuneSpace> space = standardSpace(shape, tokens);
        FOVEA_TRY(space);
        notes.push_back(std::to_string(space->candidates.size()) +
                        " policies: presets, and windows and routed keys of the preset default; " +
                        std::to_string(space->unfit) + " presets do not fit or look ahead");
        return std::move(*space);
    }
    Outcome<PolicyGrid> grid = readPolicyGrid(options.grid, options.text.policy, base, notes);
    FOVEA_TRY(grid);
    Result<TuneSpace> space = tuneSpace(grid->bases, grid->axes, shape, tokens);
    FOVEA_TRY(space);
    return std::move(*space);
}

/// After the texts have been read the only files are those of --out: an error of one is failed work, in
/// whichever phase.
Failure failureOf(Error error) {
    return error.code == ErrorCode::Io ? Failure(kFailed, std::move(error.message))
                                       : Failure(std::move(error));
}
template <class T>
Outcome<T> orFailure(Result<T> result) {
    return std::move(result).map_error(failureOf);
}

/// One run of the command after its options have been read.
class Tune {
public:
    Tune(const Options& options, TuneOptions tune, Session& session)
        : m_options(options), m_session(session), m_folder(options.text.output.out) {
        m_report.options = tune;
    }

    Outcome<> run() {
        FOVEA_TRY(open());
        FOVEA_TRY(runTexts());
        FOVEA_TRY(search());
        // What else was asked for takes nothing from the answer: it is saved and printed in any case.
        Outcome<> failed;
        const WorkContext quiet = quietWork();
        for (const auto step :
             {&Tune::measureHeldOut, &Tune::measureControls, &Tune::runSensitivity, &Tune::runBudgets}) {
            Outcome<> done = (this->*step)(quiet);
            if (!done && done.error().status == kInterrupted)
                return done;
            if (failed)
                failed = std::move(done);
        }
        m_session.clearProgress();
        Outcome<> saved = m_folder.save(m_report);
        FOVEA_TRY(print(m_options.text.output.json ? tuneJson(m_report) : tuneTable(m_report)));
        FOVEA_TRY(saved);
        FOVEA_TRY(failed);
        if (bounded() && !m_report.tuning.best)
            return workFailed("no policy was measured within the bound");
        return {};
    }

private:
    [[nodiscard]] WorkContext quietWork() const {
        WorkContext quiet = m_texts.front().run.work;
        quiet.progress = {};
        return quiet;
    }

    [[nodiscard]] bool bounded() const {
        return m_report.options.goal.withinKl || m_report.options.goal.withinPairs;
    }

    Outcome<> open() {
        Outcome<OutputFiles> outputs = m_folder.prepare();
        FOVEA_TRY(outputs);
        for (const std::string& name : m_options.grid.list)
            outputs->keep("one of --policies", name);
        Outcome<std::vector<NamedText>> texts =
            prepareTexts(m_options.texts, m_options.text, "", std::move(*outputs), m_session);
        FOVEA_TRY(texts);
        m_texts = std::move(*texts);
        const ModelShape& shape = m_texts.front().run.card->shape;
        if (!shape.predictsTokens()) // before the weights are read
            return badUsage(shape.family + ": " + kNoNextToken +
                            "; tune takes a model that predicts the next token, and sweep takes this one");
        m_tuned = m_options.texts.own();
        shareMemory(shape);
        m_report.threads = Session::threadCount(m_texts.front().run.threads);
        return m_folder.openStore(m_options.text.output.quiet);
    }

    /// The runs of all texts are held at once: besides the weights each may take its part.
    void shareMemory(const ModelShape& shape) {
        const Request& first = m_texts.front().run.request;
        const std::uint64_t ours = memoryLimit(0) + std::min(residentBytes(), ~memoryLimit(0));
        const std::uint64_t limit = first.maxMemory > 0 ? std::min(ours, first.maxMemory) : ours;
        const std::uint64_t weights = std::min(weightBytes(shape, first.precision), limit);
        for (NamedText& text : m_texts)
            text.run.request.maxMemory =
                std::max<std::uint64_t>(1, weights + (limit - weights) / m_texts.size());
    }

    Outcome<> runTexts() {
        Engine engine;
        for (std::size_t n = 0; n < m_texts.size(); ++n) {
            TextRun& run = m_texts[n].run;
            run.request.policy = AttentionPolicy(); // only the full run is wanted
            FOVEA_TRY(runEngine(run, engine, m_options.text.output.quiet, m_session));
            FOVEA_TRY(checkGoal(m_report.options.goal, run.snapshot->tokens->size()));
            if (n < m_tuned)
                m_report.texts.push_back({m_texts[n].name, run.snapshot});
        }
        return {};
    }

    Outcome<> search() {
        const Snapshot& first = *m_report.texts.front().snapshot;
        std::size_t shortest = first.tokens->size();
        for (const TunedText& text : m_report.texts)
            shortest = std::min(shortest, text.snapshot->tokens->size());
        std::vector<std::string> notes;
        Outcome<TuneSpace> space =
            spaceOf(m_options, m_texts.front().run.policy, first.model->shape, shortest, notes);
        FOVEA_TRY(space);
        for (const std::string& note : notes)
            printNote(note, m_options.text.output.quiet);
        FOVEA_TRY(knowRetrieval(*space));
        m_folder.serve(m_watch);
        // What is done is in the files after each run, whatever ends the program.
        Outcome<> saved;
        m_watch.changed = [&](const Tuning&) {
            if (saved)
                saved = m_folder.save(m_report);
        };
        std::vector<std::shared_ptr<const Snapshot>> texts;
        for (const TunedText& text : m_report.texts)
            texts.push_back(text.snapshot);
        const Result<> done =
            tune(m_report.options, *space, texts, m_watch, m_report.tuning, m_texts.front().run.work);
        m_watch.changed = {};
        m_session.clearProgress();
        FOVEA_TRY(orFailure(done));
        return saved;
    }

    /// The model's retrieval scores in every text, once a policy ranks heads by them: the best policy is run
    /// again beside the search.
    Outcome<> knowRetrieval(const TuneSpace& space) {
        if (std::none_of(space.candidates.begin(), space.candidates.end(),
                         [](const TuneCandidate& c) { return ranksHeads(c.policy); }))
            return {};
        for (std::size_t n = 0; n < m_texts.size(); ++n) {
            std::shared_ptr<const Snapshot>& snapshot = m_texts[n].run.snapshot;
            Result<Snapshot> scored = withRetrievalScores(*snapshot, quietWork());
            FOVEA_TRY(scored);
            snapshot = std::make_shared<const Snapshot>(std::move(*scored));
            if (n < m_tuned)
                m_report.texts[n].snapshot = snapshot;
        }
        return {};
    }

    Outcome<Measurement> measured(const Snapshot& text, const AttentionPolicy& policy,
                                  const WorkContext& work) const {
        TuneCandidate candidate;
        candidate.policy = policy;
        candidate.hash = policyHash(policy);
        return orFailure(measureOnce(text, candidate, m_watch, work));
    }

    [[nodiscard]] const TuneCandidate* best() const {
        return m_report.tuning.best ? &m_report.tuning.points[*m_report.tuning.best].candidate : nullptr;
    }

    Outcome<> measureHeldOut(const WorkContext& work) {
        if (best() == nullptr)
            return {};
        m_report.command =
            againCommand(m_options.text, m_options.texts.files.empty() ? "" : m_options.texts.files.front(),
                         {best()->policy, best()->preset, m_folder.policyFile()});
        Outcome<std::vector<HeldOut>> heldOut = heldOutOf(best()->policy, work);
        FOVEA_TRY(heldOut);
        m_report.heldOut = std::move(*heldOut);
        return {};
    }

    Outcome<std::vector<HeldOut>> heldOutOf(const AttentionPolicy& policy, const WorkContext& work) {
        std::vector<HeldOut> out;
        for (std::size_t n = m_tuned; n < m_texts.size(); ++n) {
            m_texts.front().run.work.report("held-out texts", static_cast<double>(n - m_tuned),
                                            static_cast<double>(m_texts.size() - m_tuned));
            Outcome<Measurement> one = measured(*m_texts[n].run.snapshot, policy, work);
            FOVEA_TRY(one);
            out.push_back({m_texts[n].name, std::move(*one)});
        }
        return out;
    }

    Outcome<std::vector<Measurement>> tunedOf(const AttentionPolicy& policy, const WorkContext& work) {
        std::vector<Measurement> out;
        for (const TunedText& text : m_report.texts) {
            Outcome<Measurement> one = measured(*text.snapshot, policy, work);
            FOVEA_TRY(one);
            out.push_back(std::move(*one));
        }
        return out;
    }

    Outcome<> measureControls(const WorkContext& work) {
        if (best() == nullptr)
            return {};
        for (const PointKind kind : {PointKind::RandomControl, PointKind::OracleControl}) {
            const std::optional<AttentionPolicy> control = controlPolicy(best()->policy, kind);
            if (!control)
                continue;
            Outcome<std::vector<Measurement>> found = tunedOf(*control, work);
            FOVEA_TRY(found);
            m_report.controls.push_back(
                {kind == PointKind::RandomControl ? "random" : "oracle", *control, std::move(*found)});
        }
        return {};
    }

    /// What --sensitivity and --budgets look at: the best policy, or the one that was named.
    Outcome<AttentionPolicy> subject(const char* option) const {
        if (best() != nullptr)
            return best()->policy;
        if (m_options.text.policy.given())
            return m_texts.front().run.policy;
        return workFailed(std::string("no policy was measured within the bound, so ") + option +
                          " has none to look at; a wider bound or a policy option is accepted");
    }

    Outcome<> runSensitivity(const WorkContext& work) {
        if (!m_options.sensitivity)
            return {};
        Outcome<AttentionPolicy> policy = subject("--sensitivity");
        FOVEA_TRY(policy);
        const Snapshot& text = *m_report.texts.front().snapshot;
        Result<std::vector<Sensitivity>> rows =
            sensitivity(text, *policy, m_report.tuning.calibrations.front(),
                        sampleRows(text.tokens->size(), m_report.options.sampledRows), work);
        FOVEA_TRY(rows);
        m_report.sensitivity = std::move(*rows);
        m_report.sensitivityOf = std::move(*policy);
        return {};
    }

    Outcome<> runBudgets(const WorkContext& work) {
        if (!m_options.budgets)
            return {};
        Outcome<AttentionPolicy> policy = subject("--budgets");
        FOVEA_TRY(policy);
        std::vector<BudgetText> texts;
        for (const TunedText& text : m_report.texts) {
            const MeasureRun once = [&](const Snapshot& snapshot, const AttentionPolicy& one) {
                TuneCandidate candidate;
                candidate.policy = one;
                candidate.hash = policyHash(one);
                return measureOnce(snapshot, candidate, m_watch, work);
            };
            Outcome<std::vector<double>> weights =
                orFailure(measureLayerWeights(*text.snapshot, kPrefixTokens, once, m_texts.front().run.work));
            FOVEA_TRY(weights);
            texts.push_back({text.snapshot,
                             sampleRows(text.snapshot->tokens->size(), m_report.options.sampledRows),
                             std::move(*weights)});
        }
        Result<LayerBudgets> budgets = shareBudget(texts, *policy, work);
        FOVEA_TRY(budgets);
        BudgetComparison comparison;
        comparison.uniform = std::move(*policy);
        comparison.budgets = std::move(*budgets);
        const auto fill = [&](const AttentionPolicy& one, std::vector<Measurement>& tuned,
                              std::vector<HeldOut>& heldOut) -> Outcome<> {
            Outcome<std::vector<Measurement>> own = tunedOf(one, work);
            FOVEA_TRY(own);
            Outcome<std::vector<HeldOut>> other = heldOutOf(one, work);
            FOVEA_TRY(other);
            tuned = std::move(*own);
            heldOut = std::move(*other);
            return {};
        };
        FOVEA_TRY(fill(comparison.uniform, comparison.uniformMeasured, comparison.uniformHeldOut));
        FOVEA_TRY(fill(comparison.budgets.policy, comparison.budgetMeasured, comparison.budgetHeldOut));
        m_report.budgets = std::move(comparison);
        return {};
    }

    const Options& m_options;
    Session& m_session;
    TuneFolder m_folder;
    std::vector<NamedText> m_texts; ///< tuned on, then held out
    std::size_t m_tuned = 1;
    TuneWatch m_watch; ///< of the search, and of all that is measured after it
    TuneReport m_report;
};

Outcome<> run(const Options& options, Session& session) {
    FOVEA_TRY(checkPolicyGrid(options.grid, options.text.policy));
    FOVEA_TRY(checkTexts(options.texts, options.text));
    Outcome<TuneOptions> tune = readOptions(options);
    FOVEA_TRY(tune);
    if ((options.sensitivity || options.budgets) && !tune->goal.withinKl && !tune->goal.withinPairs &&
        !options.text.policy.given())
        return badUsage(std::string(options.sensitivity ? "--sensitivity" : "--budgets") +
                        " needs a policy to look at; a bound (--within-kl, --within-pairs) or a policy "
                        "option is accepted");
    return Tune(options, *tune, session).run();
}

} // namespace

Command addTune(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app = program.add_subcommand(
        "tune",
        "The cheapest policy within a loss, or the best one within a cost. Policies are judged on sampled "
        "queries without running the model, which predicts their loss with a band; then the likely ones are "
        "run, nearest to the bound first, until the best one is measured. Predicted and measured figures are "
        "never mixed. Without a bound: the front of cost against loss.");
    addTexts(*app, options->texts, options->text, "The texts to tune on; - is standard input.");
    addHeldOut(*app, options->texts,
               "A text that is not tuned on; repeatable. The best policy is measured on it.");
    app->add_option("--within-kl", options->withinKl,
                    "Find the cheapest policy whose mean next-token KL is at most this, in nats.")
        ->type_name("X")
        ->group("Search");
    app->add_option("--within-pairs", options->withinPairs,
                    "Find the policy of least KL that takes at most this share of full attention's pairs, "
                    "router included.")
        ->type_name("X")
        ->group("Search");
    app->add_option(
           "--over", options->grid.over,
           "Vary one policy option; repeatable. As in sweep: window=16:2048:x2, "
           "route=group_dot,head_dot. Without --over and without a policy: all presets that fit, and "
           "windows and routed keys of the preset default.")
        ->type_name("OPTION=VALUES")
        ->group("Search")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app->add_option("--policies", options->grid.list, "Start from these presets or policy files.")
        ->type_name("NAME|FILE,...")
        ->group("Search")
        ->delimiter(',')
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app->add_option("--runs", options->runs,
                    "The most propagated runs over each text, besides six short ones that calibrate. 0: "
                    "predictions alone. Default: 16.")
        ->type_name("N")
        ->group("Search");
    app->add_option("--sampled-rows", options->rows,
                    "Queries that each policy is judged on, in every layer and head. Default: 128.")
        ->type_name("N")
        ->group("Search");
    app->add_option("--search-seed", options->seedOfSearch,
                    "Of the first policies when a space of more than 600 is searched. Default: 1.")
        ->type_name("N")
        ->group("Search");
    app->add_flag("--sensitivity", options->sensitivity,
                  "Also move each parameter of the best policy (or of the one given) one step down and up: "
                  "predicted KL and pairs, and which parameters do nothing on this text.")
        ->group("Also");
    app->add_flag("--budgets", options->budgets,
                  "Also share the pairs of the best policy (or of the one given) out over layers and "
                  "key-value heads, and measure both. Takes a short run for each layer first.")
        ->group("Also");
    addPolicyOptions(*app, options->text.policy);
    addRunOptions(*app, options->text.run);
    addOutputOptions(
        *app, options->text.output,
        "Write into this folder: policy.json (the best one), points.csv, tune.json, budgets.json, "
        "and measurements.jsonl, from which an interrupted search goes on.");
    app->footer("Examples:\n  fovea tune page.txt --within-kl 0.02 --out tuned\n"
                "  fovea tune page.txt --within-pairs 0.15 --held-out other.txt --over window=16:1024:x2 "
                "--over route-count=0,8,32\n"
                "  fovea tune page.txt --policy default --sensitivity\n"
                "  fovea tune page.txt --window 128 --sinks 4 --budgets --held-out other.txt");
    return {app, [options](Session& session) { return run(*options, session); }};
}

} // namespace fovea::app
