#include "app/Command.h"
#include "app/Output.h"
#include "app/RunText.h"
#include "app/Usage.h"
#include "core/engine/Engine.h"
#include "core/export/FailureReport.h"
#include "core/text/Display.h"
#include <algorithm>
#include <cstdio>

namespace fovea::app {

namespace {

struct Options {
    TextRunOptions text;
    std::vector<std::string> files;
    std::string most = "10", leastChange = "0.1";
};

std::string failureText(const TextFailures& text, const PolicyFailure& one) {
    const Tokens& tokens = *text.snapshot->tokens;
    char line[160];
    std::snprintf(line, sizeof line, "  token %zu  loss %+.3f nats%s  ", one.token, one.lossChange,
                  one.flipped ? ", no longer the likeliest" : "");
    std::string out = line +
                      tokensText(tokens, one.first - std::min<std::size_t>(one.first, 8), one.first, 60) +
                      "[" + tokensText(tokens, one.first, one.last, 40) + "]\n";
    if (!one.hasSource)
        return out + "    its row reads every key; the loss came with the activations\n";
    std::snprintf(
        line, sizeof line,
        "    not read: token %zu, %zu before, %.3f of the weight in layer %d head %d (the row keeps "
        "%.3f)  ",
        one.source, one.token - 1 - one.source, one.lostMass, one.layer, one.head, one.keptMass);
    out += line + displayText(tokens.pieces[one.source], 24);
    std::string kept;
    for (const std::string& signal : one.wouldKeep)
        kept += (kept.empty() ? "" : ", ") + signal;
    return out + "\n    would keep it: " + (kept.empty() ? "no signal within this budget" : kept) + "\n";
}

std::string table(const std::vector<TextFailures>& texts, const AttentionPolicy& policy) {
    std::string out = policy.summary() + "; drop-in: the weights never saw this policy\n";
    for (const TextFailures& text : texts) {
        out += "\n" + text.name + ": " + std::to_string(text.snapshot->tokens->size()) + " tokens, " +
               std::to_string(text.failures.size()) +
               (text.failures.size() == 1 ? " failure\n" : " failures\n");
        // By what was lost; worst first in each group, and the group of the worst failure first.
        std::vector<LostKind> kinds;
        for (const PolicyFailure& one : text.failures)
            if (std::find(kinds.begin(), kinds.end(), one.kind) == kinds.end())
                kinds.push_back(one.kind);
        for (const LostKind kind : kinds) {
            out += " " + std::string(lostKindName(kind)) + "\n";
            for (std::size_t n = 0; n < text.failures.size(); ++n) {
                if (text.failures[n].kind != kind)
                    continue;
                out += failureText(text, text.failures[n]);
                if (n < text.sessions.size())
                    out += "    session: " + text.sessions[n] + "\n";
            }
        }
    }
    return out;
}

/// Where failure `n` of text `t` is saved.
std::string sessionName(const std::string& folder, std::size_t texts, std::size_t t, std::size_t n) {
    char name[64];
    if (texts > 1)
        std::snprintf(name, sizeof name, "text-%02zu-failure-%03zu.json", t + 1, n + 1);
    else
        std::snprintf(name, sizeof name, "failure-%03zu.json", n + 1);
    return folder + "/" + name;
}

Outcome<> run(const Options& options, Session& session) {
    const OutputOptions& output = options.text.output;
    if (!options.files.empty() && options.text.text.textOption->count() > 0)
        return badUsage("both a file (" + options.files.front() +
                        ") and --text are given; one of them is accepted");
    if (std::count(options.files.begin(), options.files.end(), "-") > 1)
        return badUsage("standard input (-) is named more than once; it can be read once");
    FailureOptions wanted;
    Outcome<std::int64_t> most = parseWhole("--most", options.most, 1, 1000);
    FOVEA_TRY(most);
    wanted.most = static_cast<std::size_t>(*most);
    Outcome<std::optional<double>> least = parseReal("--least-loss", options.leastChange);
    FOVEA_TRY(least);
    if (!(least->value_or(0) > 0))
        return badUsage("--least-loss is " + options.leastChange + "; a number of nats above 0 is accepted");
    wanted.leastChange = **least;
    std::vector<std::string> names = options.files;
    if (names.empty())
        names.emplace_back();
    OutputFiles files;
    if (!output.out.empty()) {
        FOVEA_TRY(makeFolder(output.out));
        files.add("--out", output.out + "/failures.json");
        for (std::size_t t = 0; t < names.size(); ++t)
            for (std::size_t n = 0; n < wanted.most; ++n)
                files.add("--out", sessionName(output.out, names.size(), t, n));
        for (const std::string& name : options.files)
            files.keep("a text", name);
        files.keep("the file of --policy", options.text.policy.base);
    }
    std::vector<TextFailures> found;
    Engine engine;
    DocumentHead head;
    std::shared_ptr<const AttentionPolicy> policy;
    for (std::size_t t = 0; t < names.size(); ++t) {
        TextRunOptions one = options.text;
        one.text.file = names[t];
        if (t > 0)
            one.output.quiet = true; // notes on the policy are printed once
        Outcome<TextRun> made = prepareRun(one, "default", t == 0 ? files : OutputFiles(), session);
        FOVEA_TRY(made);
        TextRun& run = *made;
        if (!run.card->shape.predictsTokens())
            return badUsage(run.card->shape.family + ": " + kNoNextToken +
                            ", so no token is predicted worse");
        policy = std::make_shared<const AttentionPolicy>(run.policy);
        run.request.depth = Depth::Visible;
        run.request.headStats = false;
        run.request.policy = AttentionPolicy(); // only the full run is wanted of the engine
        FOVEA_TRY(runEngine(run, engine, output.quiet, session));
        Result<std::vector<PolicyFailure>> failures = findFailures(*run.snapshot, *policy, wanted, run.work);
        FOVEA_TRY(failures);
        session.clearProgress();
        TextFailures& text = found.emplace_back();
        text.name = names[t].empty() ? "--text" : names[t];
        text.snapshot = run.snapshot;
        text.failures = std::move(*failures);
        if (t == 0) {
            head = run.head();
            head.textHash.clear(); // each text has its own
        }
    }
    head.policy = policy.get();
    Outcome<> saved;
    if (!output.out.empty()) {
        for (std::size_t t = 0; t < found.size(); ++t)
            for (std::size_t n = 0; n < found[t].failures.size() && saved; ++n) {
                const std::string name = sessionName(output.out, found.size(), t, n);
                saved = save(name, failureSession(found[t], found[t].failures[n], *policy));
                if (saved)
                    found[t].sessions.push_back(name);
            }
        if (saved)
            saved = save(output.out + "/failures.json", failuresJson(head, found));
    }
    FOVEA_TRY(print(output.json ? failuresJson(head, found) : table(found, *policy)));
    return saved;
}

} // namespace

Command addFailures(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app = program.add_subcommand(
        "find-failures",
        "The tokens that a policy predicts much worse than full attention does, grouped by what "
        "it lost the sight of: a repeated line, a quotation, a number, a name. Each with the key "
        "that was not read, the layer and head that lost it, and the signals that would have kept "
        "it. Without a policy option: the preset \"default\".");
    app->add_option("FILE", options->files, "The texts; - is standard input.")->group("Text");
    options->text.text.textOption = app->add_option("--text", options->text.text.text, "The text itself.")
                                        ->type_name("\"...\"")
                                        ->group("Text");
    addReadingOptions(*app, options->text.text);
    app->add_option("--max-tokens", options->text.maxTokens,
                    "Only the first tokens of each text. Default: all of it.")
        ->type_name("N")
        ->group("Text");
    app->add_option("--most", options->most, "The most failures of each text. Default: 10.")
        ->type_name("N")
        ->group("Failures");
    app->add_option("--least-loss", options->leastChange,
                    "A smaller rise of a token's loss is no failure, in nats. Default: 0.1.")
        ->type_name("X")
        ->group("Failures");
    addPolicyOptions(*app, options->text.policy);
    addRunOptions(*app, options->text.run);
    addOutputOptions(*app, options->text.output,
                     "Write into this folder: failures.json, and each failure as a session that opens in the "
                     "window on its row.");
    app->footer("Examples:\n  fovea find-failures page.txt --window 64 --sinks 4\n"
                "  fovea find-failures page.txt other.txt --policy streaming --most 20 --out failures\n"
                "  fovea failures/failure-001.json");
    return {app, [options](Session& session) { return run(*options, session); }};
}

} // namespace fovea::app
