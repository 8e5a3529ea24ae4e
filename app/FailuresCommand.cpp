#include "app/Command.h"
#include "app/Output.h"
#include "app/Texts.h"
#include "app/Usage.h"
#include "core/base/OutOfMemory.h"
#include "core/engine/Engine.h"
#include "core/export/FailureReport.h"
#include "core/text/Display.h"
#include <algorithm>
#include <cstdio>

namespace fovea::app {

namespace {

struct Options {
    TextRunOptions text;
    TextList texts;
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

Outcome<FailureOptions> readOptions(const Options& options) {
    FailureOptions wanted;
    Outcome<std::int64_t> most = parseWhole("--most", options.most, 1, 1000);
    FOVEA_TRY(most);
    wanted.most = static_cast<std::size_t>(*most);
    Outcome<std::optional<double>> least = parseReal("--least-loss", options.leastChange);
    FOVEA_TRY(least);
    if (!(least->value_or(0) > 0))
        return badUsage("--least-loss is " + options.leastChange + "; a number of nats above 0 is accepted");
    wanted.leastChange = **least;
    return wanted;
}

/// The failures of a text under its policy.
Outcome<TextFailures> failuresOf(NamedText& text, const FailureOptions& wanted, Engine& engine, bool quiet,
                                 Session& session) {
    TextRun& run = text.run;
    run.request.policy = AttentionPolicy(); // only the full run is wanted of the engine
    FOVEA_TRY(runEngine(run, engine, quiet, session));
    Result<std::vector<PolicyFailure>> failures =
        orOutOfMemory("not enough memory to find failures; a shorter text needs less.",
                      [&] { return findFailures(*run.snapshot, run.policy, wanted, run.work); });
    FOVEA_TRY(failures);
    session.clearProgress();
    // The next text needs the room of this one's activations, which are not reported.
    auto rest = std::make_shared<Snapshot>();
    rest->request = run.snapshot->request;
    rest->model = run.snapshot->model;
    rest->tokens = run.snapshot->tokens;
    rest->textHash = run.snapshot->textHash;
    rest->pastContext = run.snapshot->pastContext;
    run.snapshot = rest;
    return TextFailures{text.name, std::move(rest), std::move(*failures), {}};
}

/// Saves the failures of the newest text as sessions, then the document of all.
Outcome<> saveNewest(const std::string& folder, std::size_t texts, std::vector<TextFailures>& found,
                     const DocumentHead& head) {
    TextFailures& newest = found.back();
    for (std::size_t n = 0; n < newest.failures.size(); ++n) {
        const std::string name = sessionName(folder, texts, found.size() - 1, n);
        FOVEA_TRY(save(name, failureSession(newest, newest.failures[n], *head.policy)));
        newest.sessions.push_back(name);
    }
    return save(folder + "/failures.json", failuresJson(head, found));
}

Outcome<> run(const Options& options, Session& session) {
    const OutputOptions& output = options.text.output;
    FOVEA_TRY(checkTexts(options.texts, options.text));
    Outcome<FailureOptions> wanted = readOptions(options);
    FOVEA_TRY(wanted);
    const std::size_t count = options.texts.own();
    OutputFiles files;
    if (!output.out.empty()) {
        FOVEA_TRY(makeFolder(output.out));
        files.add("--out", output.out + "/failures.json");
        for (std::size_t t = 0; t < count; ++t)
            for (std::size_t n = 0; n < wanted->most; ++n)
                files.add("--out", sessionName(output.out, count, t, n));
    }
    Outcome<std::vector<NamedText>> texts =
        prepareTexts(options.texts, options.text, "default", std::move(files), session);
    FOVEA_TRY(texts);
    const TextRun& first = texts->front().run;
    if (!first.card->shape.predictsTokens())
        return badUsage(first.card->shape.family + ": " + kNoNextToken + ", so no token is predicted worse");
    std::vector<TextFailures> found;
    Engine engine;
    DocumentHead head;
    Outcome<> failed, saved;
    for (NamedText& text : *texts) {
        Outcome<TextFailures> one = failuresOf(text, *wanted, engine, output.quiet, session);
        if (!one) { // what the texts before it have is printed all the same
            failed = tl::make_unexpected(std::move(one).error());
            break;
        }
        found.push_back(std::move(*one));
        if (found.size() == 1) {
            head = first.head();
            head.textHash.clear(); // each text has its own
        }
        if (saved && !output.out.empty())
            saved = saveNewest(output.out, count, found, head);
    }
    if (found.empty() || (!failed && failed.error().status == kInterrupted))
        return failed;
    FOVEA_TRY(print(output.json ? failuresJson(head, found) : table(found, first.policy)));
    FOVEA_TRY(saved);
    return failed;
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
    addTexts(*app, options->texts, options->text, "The texts; - is standard input.");
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
                     "Write into this folder, after each text: failures.json, and each failure as a session "
                     "that opens in the window on its row.");
    app->footer("Examples:\n  fovea find-failures page.txt --window 64 --sinks 4\n"
                "  fovea find-failures page.txt other.txt --policy streaming --most 20 --out failures\n"
                "  fovea failures/failure-001.json");
    return {app, [options](Session& session) { return run(*options, session); }};
}

} // namespace fovea::app
