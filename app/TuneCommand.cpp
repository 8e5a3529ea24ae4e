#include "app/Command.h"
#include "app/Interrupt.h"
#include "app/Output.h"
#include "app/RunText.h"
#include "app/TuneTable.h"
#include "app/Usage.h"
#include "core/engine/Engine.h"
#include "core/export/MeasurementStore.h"
#include "core/export/TuneReport.h"
#include "core/policy/PolicyJson.h"
#include <algorithm>
#include <charconv>
#include <cmath>

namespace fovea::app {

namespace {

struct Options {
    TextRunOptions text;
    std::vector<std::string> files, heldOut, over, list;
    std::string withinKl, withinPairs, runs = "16", rows = "128", seedOfSearch = "1";
    bool sensitivity = false, budgets = false;
};

/// A text with its run, once it has one.
struct Opened {
    std::string name;
    TextRun run;
};

Outcome<std::optional<double>> parseBound(const std::string& option, const std::string& text) {
    if (text.empty())
        return std::optional<double>();
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
        return badUsage(option + " is \"" + text + "\"; a number is accepted");
    return std::optional<double>(value);
}

Outcome<TuneOptions> readOptions(const Options& options) {
    TuneOptions tune;
    Outcome<std::optional<double>> kl = parseBound("--within-kl", options.withinKl);
    FOVEA_TRY(kl);
    Outcome<std::optional<double>> pairs = parseBound("--within-pairs", options.withinPairs);
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

/// Each text with a request of its own; nothing is run yet. `outputs` are checked with the first one.
Outcome<std::vector<Opened>> openTexts(const Options& options, const OutputFiles& outputs, Session& session) {
    std::vector<std::string> names = options.files;
    const std::size_t tuned = options.files.empty() ? 1 : options.files.size();
    if (names.empty())
        names.emplace_back();
    names.insert(names.end(), options.heldOut.begin(), options.heldOut.end());
    if (std::count(names.begin(), names.end(), "-") > 1)
        return badUsage("standard input (-) is named more than once; it can be read once");
    std::vector<Opened> texts;
    for (std::size_t n = 0; n < names.size(); ++n) {
        TextRunOptions one = options.text;
        one.text.file = names[n];
        if (n > 0) {
            one.output.quiet = true; // notes on the policy are printed once
            if (n >= tuned)
                one.text.textOption = nullptr;
        }
        Outcome<TextRun> run = prepareRun(one, "", n == 0 ? outputs : OutputFiles(), session);
        FOVEA_TRY(run);
        texts.push_back({names[n].empty() ? "--text" : names[n], std::move(*run)});
    }
    texts.front().run.work = session.work(texts.front().run.threads, options.text.output.quiet);
    for (Opened& text : texts)
        text.run.work = texts.front().run.work;
    return texts;
}

Outcome<TuneSpace> spaceOf(const Options& options, const AttentionPolicy& base, const ModelShape& shape,
                           std::size_t tokens, std::vector<std::string>& notes) {
    std::vector<SweepAxis> axes;
    for (const std::string& text : options.over) {
        Result<SweepAxis> axis = parseSweepAxis(text);
        if (!axis)
            return badUsage("--over " + text + ": " + axis.error().message);
        axes.push_back(std::move(*axis));
    }
    std::vector<AttentionPolicy> bases;
    for (const std::string& name : options.list) {
        Outcome<AttentionPolicy> policy = readPolicyNamed(name, "--policies");
        FOVEA_TRY(policy);
        bases.push_back(std::move(*policy));
    }
    if (bases.empty() && (options.text.policy.given() || !axes.empty())) {
        bases.push_back(base);
        const auto varies = [&](std::string_view start, bool exact) {
            return std::any_of(axes.begin(), axes.end(), [&](const SweepAxis& axis) {
                return exact ? axis.param == start : axis.param.starts_with(start);
            });
        };
        if (varies("route-", false) && !varies("route", true) && !bases.front().routed.on()) {
            const Result<AttentionPolicy> standard = presetPolicy(defaultPreset(true));
            FOVEA_TRY(standard);
            bases.front().routed.signal = standard->routed.signal;
            notes.push_back("the base policy routes nothing, so --route " + standard->routed.signal +
                            " is taken");
        }
    }
    Result<TuneSpace> space =
        bases.empty() ? standardSpace(shape, tokens) : tuneSpace(bases, axes, shape, tokens);
    FOVEA_TRY(space);
    if (bases.empty())
        notes.push_back(std::to_string(space->candidates.size()) +
                        " policies: presets, and windows and routed keys of the preset default; " +
                        std::to_string(space->unfit) + " presets do not fit or look ahead");
    return std::move(*space);
}

/// A word for a shell.
std::string shellWord(const std::string& word) {
    if (!word.empty() && word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                "0123456789_-./,:=+@") == std::string::npos)
        return word;
    std::string quoted = "'";
    for (const char c : word)
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

/// The command that measures the policy again on the first text. `file`: where it was saved; empty: nowhere.
std::string commandFor(const Options& options, const std::string& text, const TuneCandidate& candidate,
                       const std::string& file) {
    std::string command = "fovea analyze " + (text == "--text" ? "--text " + shellWord(options.text.text.text)
                                                               : shellWord(text));
    const AttentionPolicy& policy = candidate.policy;
    const bool plain = policy.headPolicies.empty() && policy.mix.layers.empty() && policy.mix.heads.empty() &&
                       policy.always.pinned.size() < 2;
    if (!file.empty())
        command += " --policy " + shellWord(file);
    else if (!candidate.preset.empty())
        command += " --policy " + candidate.preset;
    else if (plain && !policyToOptions(policy).empty())
        command += " " + policyToOptions(policy);
    else
        command += " --policy FILE (--out DIR writes it)";
    const RunOptions& run = options.text.run;
    const auto add = [&](const char* name, const std::string& value, const std::string& standard) {
        if (!value.empty() && value != standard)
            command += std::string(" ") + name + " " + shellWord(value);
    };
    add("--model", run.model, "");
    add("--precision", run.precision, "f32");
    add("--native-windows", run.nativeWindows, "on");
    add("--template", options.text.text.textTemplate, "raw");
    add("--max-tokens", options.text.maxTokens, "");
    return options.text.text.specialTokens ? command + " --special-tokens" : command;
}

/// Where a tuning is written.
struct Folder {
    std::string path; ///< empty: nothing is written
    [[nodiscard]] std::string file(const char* name) const { return path.empty() ? "" : path + "/" + name; }
};

Outcome<Measurement> measured(MeasurementStore* store, const Snapshot& text, const AttentionPolicy& policy,
                              const WorkContext& work) {
    const std::string key = measurementKey(text), hash = policyHash(policy);
    if (store != nullptr)
        if (std::optional<Measurement> known = store->find(key, hash))
            return std::move(*known);
    Result<Measurement> fresh = measurePolicy(text, policy, work);
    FOVEA_TRY(fresh);
    if (store != nullptr)
        if (const Result<> kept = store->add(key, hash, policy, *fresh); !kept)
            return workFailed(kept.error().message);
    return std::move(*fresh);
}

/// One run of the command after its options have been read.
class Tune {
public:
    Tune(const Options& options, TuneOptions tune, Session& session)
        : m_options(options), m_session(session) {
        m_report.options = tune;
        m_folder.path = options.text.output.out;
    }

    Outcome<> run() {
        FOVEA_TRY(open());
        FOVEA_TRY(runTexts());
        FOVEA_TRY(search());
        const WorkContext quiet = quietWork();
        FOVEA_TRY(measureHeldOut(quiet));
        FOVEA_TRY(measureControls(quiet));
        FOVEA_TRY(runSensitivity(quiet));
        FOVEA_TRY(runBudgets(quiet));
        m_session.clearProgress();
        Outcome<> saved = save(true);
        FOVEA_TRY(print(m_options.text.output.json ? tuneJson(m_report) : tuneTable(m_report)));
        FOVEA_TRY(saved);
        const bool wants = m_report.options.goal.withinKl || m_report.options.goal.withinPairs;
        if (wants && !m_report.tuning.best)
            return workFailed("no policy was measured within the bound");
        return {};
    }

private:
    [[nodiscard]] WorkContext quietWork() const {
        WorkContext quiet = m_texts.front().run.work;
        quiet.progress = {};
        return quiet;
    }

    Outcome<> open() {
        OutputFiles outputs;
        if (!m_folder.path.empty()) {
            FOVEA_TRY(makeFolder(m_folder.path));
            for (const char* name : {"tune.json", "points.csv", "policy.json"})
                outputs.add("--out", m_folder.file(name));
        }
        Outcome<std::vector<Opened>> texts = openTexts(m_options, outputs, m_session);
        FOVEA_TRY(texts);
        m_texts = std::move(*texts);
        m_tuned = m_options.files.empty() ? 1 : m_options.files.size();
        m_report.threads = Session::threadCount(m_texts.front().run.threads);
        if (m_folder.path.empty())
            return {};
        Result<MeasurementStore> store = MeasurementStore::open(m_folder.file("measurements.jsonl"));
        if (!store)
            return workFailed(store.error().message);
        m_store = std::make_unique<MeasurementStore>(std::move(*store));
        if (m_store->unread() > 0)
            printNote(std::to_string(m_store->unread()) + (m_store->unread() == 1 ? " line" : " lines") +
                          " of " + m_folder.file("measurements.jsonl") +
                          " could not be read (cut short, or of another version); they stay there and are "
                          "not used",
                      m_options.text.output.quiet);
        return {};
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
        std::size_t shortest = m_report.texts.front().snapshot->tokens->size();
        std::vector<std::shared_ptr<const Snapshot>> texts;
        for (const TunedText& text : m_report.texts) {
            shortest = std::min(shortest, text.snapshot->tokens->size());
            texts.push_back(text.snapshot);
        }
        std::vector<std::string> notes;
        Outcome<TuneSpace> space =
            spaceOf(m_options, m_texts.front().run.policy, texts.front()->model->shape, shortest, notes);
        FOVEA_TRY(space);
        for (const std::string& note : notes)
            printNote(note, m_options.text.output.quiet);
        TuneWatch watch;
        Outcome<> saved;
        if (m_store) {
            watch.known = [this](const Snapshot& text, const TuneCandidate& candidate) {
                return m_store->find(measurementKey(text), candidate.hash);
            };
            watch.measured = [this](const Snapshot& text, const TuneCandidate& candidate,
                                    const Measurement& measurement) {
                return m_store->add(measurementKey(text), candidate.hash, candidate.policy, measurement);
            };
        }
        // What is done is in the files after each run, whatever ends the program.
        watch.changed = [&](const Tuning& tuning) {
            m_report.tuning = tuning;
            if (saved)
                saved = save(false);
        };
        Tuning tuning;
        const Result<> done = tune(m_report.options, *space, texts, watch, tuning, m_texts.front().run.work);
        m_session.clearProgress();
        FOVEA_TRY(done);
        m_report.tuning = std::move(tuning);
        return saved;
    }

    [[nodiscard]] const TuneCandidate* best() const {
        return m_report.tuning.best ? &m_report.tuning.points[*m_report.tuning.best].candidate : nullptr;
    }

    Outcome<> measureHeldOut(const WorkContext& work) {
        if (best() == nullptr)
            return {};
        m_report.command = commandFor(m_options, m_texts.front().name, *best(), m_folder.file("policy.json"));
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
            Outcome<Measurement> one = measured(m_store.get(), *m_texts[n].run.snapshot, policy, work);
            FOVEA_TRY(one);
            out.push_back({m_texts[n].name, std::move(*one)});
        }
        return out;
    }

    Outcome<std::vector<Measurement>> tunedOf(const AttentionPolicy& policy, const WorkContext& work) {
        std::vector<Measurement> out;
        for (const TunedText& text : m_report.texts) {
            Outcome<Measurement> one = measured(m_store.get(), *text.snapshot, policy, work);
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
        return badUsage(std::string(option) + " needs a policy to look at; a bound (--within-kl, "
                                              "--within-pairs) or a policy option is accepted");
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
            Outcome<> failed;
            const MeasureRun once = [&](const Snapshot& snapshot,
                                        const AttentionPolicy& one) -> Result<Measurement> {
                Outcome<Measurement> found = measured(m_store.get(), snapshot, one, work);
                if (!found) {
                    failed = tl::make_unexpected(found.error());
                    return fail(ErrorCode::Io, found.error().message);
                }
                return std::move(*found);
            };
            Result<std::vector<double>> weights =
                measureLayerWeights(*text.snapshot, kPrefixTokens, once, m_texts.front().run.work);
            FOVEA_TRY(failed);
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

    Outcome<> save(bool last) const {
        if (m_folder.path.empty())
            return {};
        FOVEA_TRY(app::save(m_folder.file("points.csv"), tuneCsv(m_report.tuning)));
        FOVEA_TRY(app::save(m_folder.file("tune.json"), tuneJson(m_report)));
        if (best() != nullptr)
            FOVEA_TRY(app::save(m_folder.file("policy.json"), policyToJson(best()->policy)));
        if (last && m_report.budgets)
            FOVEA_TRY(
                app::save(m_folder.file("budgets.json"), policyToJson(m_report.budgets->budgets.policy)));
        return {};
    }

    const Options& m_options;
    Session& m_session;
    Folder m_folder;
    std::vector<Opened> m_texts; ///< tuned on, then held out
    std::size_t m_tuned = 1;
    std::unique_ptr<MeasurementStore> m_store;
    TuneReport m_report;
};

Outcome<> run(const Options& options, Session& session) {
    if (!options.list.empty() && options.text.policy.given())
        return badUsage("--policies and options of a single policy are given; one or the other is accepted "
                        "(--over varies each of --policies)");
    if (!options.files.empty() && options.text.text.textOption->count() > 0)
        return badUsage("both a file (" + options.files.front() +
                        ") and --text are given; one of them is accepted");
    Outcome<TuneOptions> tune = readOptions(options);
    FOVEA_TRY(tune);
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
    app->add_option("FILE", options->files, "The texts to tune on; - is standard input.")->group("Text");
    options->text.text.textOption = app->add_option("--text", options->text.text.text, "The text itself.")
                                        ->type_name("\"...\"")
                                        ->group("Text");
    app->add_option("--held-out", options->heldOut,
                    "A text that is not tuned on; repeatable. The best policy is measured on it.")
        ->type_name("FILE")
        ->group("Text")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    addReadingOptions(*app, options->text.text);
    app->add_option("--max-tokens", options->text.maxTokens,
                    "Only the first tokens of each text. Default: all of it.")
        ->type_name("N")
        ->group("Text");
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
           "--over", options->over,
           "Vary one policy option; repeatable. As in sweep: window=16:2048:x2, "
           "route=group_dot,head_dot. Without --over and without a policy: all presets that fit, and "
           "windows and routed keys of the preset default.")
        ->type_name("OPTION=VALUES")
        ->group("Search")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app->add_option("--policies", options->list, "Start from these presets or policy files.")
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
