#include "app/Command.h"
#include "app/Output.h"
#include "app/PolicyOptions.h"
#include "app/TextOptions.h"
#include "app/Usage.h"
#include "core/base/OutOfMemory.h"
#include "core/engine/Generate.h"
#include "core/engine/RunMemory.h"
#include "core/export/ProbeReport.h"
#include "core/model/Inspection.h"
#include "core/probe/ProbeModel.h"
#include "core/route/PolicyFits.h"
#include <cstdio>
#include <utility>

namespace fovea::app {

namespace {

struct Options {
    RunOptions run;
    TextOptions text; ///< of which only the template is used
    PolicyOptions policy;
    OutputOptions output;
    std::vector<std::string> probes;
    std::string sizes = "128:1024", depths = "11", cases = "20", seed = "1";
};

constexpr const char* kFurthest = "furthest-pair";

std::string probeNames() {
    std::string names;
    for (const ProbeKind kind : kProbeKinds)
        names.append(probeInfo(kind).name).append(", ");
    return names + kFurthest;
}

/// What was asked for, checked.
struct Asked {
    std::vector<ProbeKind> kinds;
    bool furthest = false;
    ProbeOptions options;
};

Outcome<Asked> readOptions(const Options& options) {
    Asked asked;
    for (const std::string& name : options.probes) {
        bool known = name == kFurthest;
        asked.furthest = asked.furthest || known;
        for (const ProbeKind kind : kProbeKinds)
            if (name == probeInfo(kind).name) {
                known = true;
                asked.kinds.push_back(kind);
            }
        if (!known)
            return badUsage("--probe is \"" + name + "\"; accepted are " + probeNames());
    }
    if (options.probes.empty()) {
        asked.kinds.assign(std::begin(kProbeKinds), std::end(kProbeKinds));
        asked.furthest = true;
    }
    const std::size_t colon = options.sizes.find(':');
    Outcome<std::int64_t> least = parseWhole("--sizes", options.sizes.substr(0, colon), 1, 1 << 20);
    FOVEA_TRY(least);
    Outcome<std::int64_t> most =
        colon == std::string::npos ? least
                                   : parseWhole("--sizes", options.sizes.substr(colon + 1), *least, 1 << 20);
    FOVEA_TRY(most);
    Outcome<std::int64_t> depths = parseWhole("--depths", options.depths, 1, 101);
    FOVEA_TRY(depths);
    Outcome<std::int64_t> cases = parseWhole("--cases", options.cases, 1, 10000);
    FOVEA_TRY(cases);
    Outcome<std::int64_t> seed = parseWhole("--probe-seed", options.seed, 0, 1LL << 53);
    FOVEA_TRY(seed);
    asked.options.leastSize = static_cast<std::size_t>(*least);
    asked.options.mostSize = static_cast<std::size_t>(*most);
    asked.options.depths = static_cast<std::size_t>(*depths);
    asked.options.cases = static_cast<std::size_t>(*cases);
    asked.options.seed = static_cast<std::uint64_t>(*seed);
    for (const ProbeKind kind : asked.kinds)
        if (const std::size_t of = probeDepths(kind, asked.options).size() * asked.options.cases;
            of < kProbeCases)
            return badUsage("--cases is " + options.cases + ", which gives " +
                            std::string(probeInfo(kind).name) + " " + std::to_string(of) +
                            " cases at each size; " + std::to_string(kProbeCases) + " or more are accepted");
    return asked;
}

std::string table(const ProbeReport& report, const AttentionPolicy& policy) {
    std::string text = policy.summary() + "; drop-in: the weights never saw this policy\n";
    char word[128];
    bool marked = false, scored = false;
    for (const ProbeResult& probe : report.probes) {
        text += "\n" + std::string(probeInfo(probe.kind).name) + ": " + probeInfo(probe.kind).help + "\n";
        if (const std::string why = whyNotApplicable(probe); !why.empty()) {
            text += "  " + why + "\n";
            continue;
        }
        if (probeInfo(probe.kind).hasDepth) {
            text += "  tokens  arm     depth";
            for (const ProbeCell& cell : probe.sizes.front().cells) {
                std::snprintf(word, sizeof word, "  %5.2f", cell.depth);
                text += word;
            }
            text += "\n";
        }
        for (const ProbeSize& size : probe.sizes)
            for (const bool full : {true, false}) {
                if (!full && !size.fullPasses)
                    continue;
                std::snprintf(word, sizeof word, "  %6zu  %-6s       ", size.size, full ? "full" : "policy");
                text += word;
                for (const ProbeCell& cell : size.cells) {
                    const ProbeScore& score = full ? cell.full : cell.hybrid;
                    const bool fails = !full && !cell.passes();
                    marked = marked || fails;
                    std::snprintf(word, sizeof word, "  %4.2f%c", score.accuracy(), fails ? '!' : ' ');
                    text += word;
                }
                const ProbeScore all = full ? size.full() : size.hybrid();
                const ProbeInterval interval = wilson(all);
                std::snprintf(word, sizeof word, "   %.0f of %zu, %.2f to %.2f%s\n", all.right, all.cases,
                              interval.low, interval.high,
                              full && !size.fullPasses ? ": too few, so it was asked no more" : "");
                text += word;
                scored = true;
            }
    }
    if (const std::optional<QuestionGap> gap = questionGap(report.probes)) {
        std::snprintf(word, sizeof word, "\nquestion first %.2f, last %.2f at %zu tokens\n",
                      gap->first.accuracy(), gap->last.accuracy(), gap->size);
        text += word;
    }
    if (report.furthest) {
        std::snprintf(word, sizeof word, "\nfurthest-pair, one layer, %zu tokens: full %.4f, policy %.4f\n",
                      report.furthest->tokens, report.furthest->full.accuracy(),
                      report.furthest->hybrid.accuracy());
        text += word;
    }
    if (scored)
        text += "\nintervals are Wilson's at 95 %\n";
    if (marked) {
        std::snprintf(word, sizeof word, "! more than %.2f below full attention\n", kProbeMargin);
        text += word;
    }
    return text;
}

Outcome<> run(const Options& options, Session& session) {
    Outcome<Asked> asked = readOptions(options);
    FOVEA_TRY(asked);
    std::vector<std::string> notes;
    Outcome<AttentionPolicy> policy =
        options.policy.given() ? readPolicy(options.policy, notes) : readPolicyNamed("default");
    FOVEA_TRY(policy);
    Outcome<int> threads = readThreads(options.run);
    FOVEA_TRY(threads);
    Outcome<Request> request = makeRequest(options.run, options.text);
    FOVEA_TRY(request);
    request->policy = *policy;
    const std::string& out = options.output.out;
    const auto file = [&](const char* name) { return out.empty() ? std::string() : out + "/" + name; };
    OutputFiles files;
    if (!out.empty())
        FOVEA_TRY(makeFolder(out));
    for (const char* name : {"probe.json", "probe.csv", "probe.svg"})
        files.add("--out", file(name));
    files.keep("the model", request->modelPath);
    files.keep("the file of --policy", options.policy.base);
    FOVEA_TRY(files.check());
    for (const std::string& note : notes)
        printNote(note, options.output.quiet);
    const WorkContext work = session.work(*threads, options.output.quiet);
    const Result<Inspection> card = inspectUnhashed(request->modelPath, work);
    FOVEA_TRY(card);
    if (!card->model->shape.predictsTokens())
        return badUsage(card->model->shape.family + ": " + kNoNextToken + ", so it answers no probe");
    FOVEA_TRY(policyFitsModel(*policy, card->model->shape));
    Result<std::shared_ptr<const Model>> model = loadForDecoding(*request, false, work);
    FOVEA_TRY(model);
    if (asked->options.mostSize > static_cast<std::size_t>((*model)->shape.context))
        return badUsage("--sizes reaches " + std::to_string(asked->options.mostSize) +
                        ", past the model's context of " + std::to_string((*model)->shape.context) +
                        " tokens");
    FOVEA_TRY(layersThatFit(*request, **model, asked->options.mostSize));
    ProbeModel probe(*model, *request);
    WorkContext quiet = work;
    quiet.progress = {};
    DocumentHead head;
    head.model = model->get();
    head.policy = &*policy;
    head.threads = Session::threadCount(*threads);
    ProbeReport report;
    report.options = asked->options;
    const auto saveAll = [&]() -> Outcome<> {
        if (out.empty())
            return {};
        FOVEA_TRY(save(file("probe.json"), probeJson(head, report)));
        FOVEA_TRY(save(file("probe.csv"), probeCsv(report)));
        return save(file("probe.svg"), probeSvg(report, policy->summary()));
    };
    if (asked->furthest) {
        Result<FurthestPair> pair =
            furthestPair(*policy, (*model)->shape, asked->options.mostSize, asked->options.seed, quiet);
        FOVEA_TRY(pair);
        report.furthest = *pair;
        FOVEA_TRY(saveAll());
    }
    Outcome<> failed;
    for (const ProbeKind kind : asked->kinds) {
        Outcome<> saved;
        bool begun = false;
        const Result<ProbeResult> done = orOutOfMemory("not enough memory for texts of this size.", [&] {
            return runProbe(
                kind, asked->options, [&](std::string_view text) { return probe.count(text, quiet); },
                [&](ProbeKind one, const ProbeCase& probeCase, ProbeArm arm) {
                    return probe.ask(one, probeCase, arm, quiet);
                },
                [&](const ProbeResult& soFar) {
                    if (!std::exchange(begun, true))
                        report.probes.emplace_back();
                    report.probes.back() = soFar;
                    if (saved)
                        saved = saveAll();
                },
                work);
        });
        failed = done ? std::move(saved) : Outcome<>(tl::make_unexpected(Failure(done.error())));
        if (!failed)
            break; // what was asked until then is printed all the same
    }
    session.clearProgress();
    if (!failed && (failed.error().status == kInterrupted || (report.probes.empty() && !report.furthest)))
        return failed;
    FOVEA_TRY(print(options.output.json ? probeJson(head, report) : table(report, *policy)));
    return failed;
}

} // namespace

Command addProbe(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app = program.add_subcommand(
        "probe",
        "Hard inputs with known answers: full attention must pass first, then the policy is asked the "
        "same. The texts are doubled until full attention fails. Without a policy option: the preset "
        "\"default\".");
    app->add_option("--probe", options->probes, "Only these: " + probeNames() + ". Default: all.")
        ->type_name("NAME,...")
        ->group("Probes")
        ->delimiter(',')
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app->add_option("--sizes", options->sizes,
                    "Tokens of the shortest and of the longest texts. Default: 128:1024.")
        ->type_name("N:N")
        ->group("Probes");
    app->add_option("--depths", options->depths,
                    "How many depths, from the beginning of the text to its end. Default: 11.")
        ->type_name("N")
        ->group("Probes");
    app->add_option("--cases", options->cases,
                    "Texts of each size and depth. A size needs 20 or more over all its depths; copy and "
                    "recall have one depth. Default: 20.")
        ->type_name("N")
        ->group("Probes");
    app->add_option("--probe-seed", options->seed, "Of the texts. (--seed is the router's.) Default: 1.")
        ->type_name("N")
        ->group("Probes");
    addReadingOptions(*app, options->text);
    addPolicyOptions(*app, options->policy);
    addRunOptions(*app, options->run);
    addOutputOptions(
        *app, options->output,
        "Write into this folder, after each size: probe.json, probe.csv, and the grids of sizes and "
        "depths as a picture in probe.svg.");
    app->footer("Examples:\n  fovea probe --probe passkey --sizes 128:512 --depths 5\n"
                "  fovea probe --probe passkey,question-first --policy snapkv --out probes\n"
                "  fovea probe --probe copy,recall,furthest-pair --window 64 --sinks 4");
    return {app, [options](Session& session) { return run(*options, session); }};
}

} // namespace fovea::app
