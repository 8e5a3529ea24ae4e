#include "app/RunText.h"
#include "app/Output.h"
#include "app/Usage.h"
#include "core/model/Inspection.h"
#include "core/route/LayerPolicy.h"
#include "core/route/PolicyFits.h"

namespace fovea::app {

void addTextRunOptions(CLI::App& app, TextRunOptions& options, const std::string& outHelp) {
    addTextOptions(app, options.text);
    addPolicyOptions(app, options.policy);
    addRunOptions(app, options.run);
    addOutputOptions(app, options.output, outHelp);
    app.add_option("--max-tokens", options.maxTokens,
                   "Only the first tokens of the text. Default: " +
                       (options.maxTokens.empty() ? std::string("all of it") : options.maxTokens) + ".")
        ->type_name("N")
        ->group("Text");
}

void addAgainstOption(CLI::App& app, TextRunOptions& options) {
    app.add_option(
           "--against", options.against,
           "The policy to compare with, in the place of full attention: a preset or a policy file. The "
           "window calls it A and the policy B.")
        ->type_name("NAME|FILE.json")
        ->group("Policy");
}

void addOtherOptions(CLI::App& app, TextRunOptions& options) {
    app.add_option(
           "--against-text", options.otherText,
           "Another text to compare with, under the same policy and model. Both have a full run and a "
           "hybrid one; their tokens are aligned one to one where they agree, else by equal words.")
        ->type_name("FILE")
        ->group("Text");
    app.add_option("--against-model", options.otherModel,
                   "Another model to compare with, on the same text under the same policy. As --model.")
        ->type_name("FILE")
        ->group("Text");
}

namespace {

/// Arm A's own text or model, when one of them is given.
Outcome<std::optional<OtherRun>> readOther(const TextRunOptions& options) {
    const char* const first = !options.otherText.empty() ? "--against-text" : "--against-model";
    if (options.otherText.empty() && options.otherModel.empty())
        return std::optional<OtherRun>();
    if (!options.otherText.empty() && !options.otherModel.empty())
        return badUsage("both --against-text and --against-model are given; one is compared at a time");
    if (!options.against.empty())
        return badUsage(std::string("both --against and ") + first + " are given; one is compared at a time");
    OtherRun other;
    if (!options.otherText.empty()) {
        if (options.otherText == "-" && options.text.file == "-")
            return badUsage("both texts are read from standard input; one is accepted");
        Outcome<std::shared_ptr<const std::string>> text = readTextFile(options.otherText);
        FOVEA_TRY(text);
        other.text = std::move(*text);
        other.name = options.otherText;
    } else {
        Result<std::string> path = findModel(options.otherModel);
        FOVEA_TRY(path);
        other.modelPath = std::move(*path);
        other.name = options.otherModel;
    }
    return std::optional(std::move(other));
}

} // namespace

DocumentHead TextRun::head() const {
    DocumentHead head;
    head.model = snapshot->model.get();
    head.policy = &policy;
    head.against = request.against ? &*request.against : nullptr;
    head.threads = Session::threadCount(threads);
    head.textHash = snapshot->textHash;
    head.pastContext = snapshot->pastContext;
    return head;
}

Outcome<TextRun> prepareRun(const TextRunOptions& options, const std::string& preset, OutputFiles files,
                            Session& session) {
    TextRun run;
    std::vector<std::string> notes;
    const bool chosen = options.policy.given() || preset.empty();
    Outcome<AttentionPolicy> policy = chosen ? readPolicy(options.policy, notes) : readPolicyNamed(preset);
    FOVEA_TRY(policy);
    run.policy = std::move(*policy);
    std::optional<AttentionPolicy> against;
    if (!options.against.empty()) {
        Outcome<AttentionPolicy> other = readPolicyNamed(options.against, "--against");
        FOVEA_TRY(other);
        against = std::move(*other);
    }
    Outcome<std::optional<OtherRun>> other = readOther(options);
    FOVEA_TRY(other);
    Outcome<int> threads = readThreads(options.run);
    FOVEA_TRY(threads);
    run.threads = *threads;
    Outcome<std::shared_ptr<const std::string>> text = readText(options.text);
    FOVEA_TRY(text);
    Outcome<Request> request = makeRequest(options.run, options.text);
    FOVEA_TRY(request);
    run.request = std::move(*request);
    run.request.text = std::move(*text);
    run.request.policy = run.policy;
    run.request.against = std::move(against);
    run.request.other = std::move(*other);
    if (!options.maxTokens.empty()) {
        Outcome<std::int64_t> tokens = parseWhole("--max-tokens", options.maxTokens, 1, 1 << 20);
        FOVEA_TRY(tokens);
        run.request.maxTokens = static_cast<std::size_t>(*tokens);
    }
    files.keep("the text", options.text.file);
    files.keep("the model", run.request.modelPath);
    files.keep("the other text", options.otherText);
    if (run.request.other)
        files.keep("the other model", run.request.other->modelPath);
    FOVEA_TRY(files.check());
    for (const std::string& note : notes)
        printNote(note, options.output.quiet);
    run.work = session.work(run.threads, options.output.quiet);
    const Result<Inspection> card = inspectUnhashed(run.request.modelPath, run.work);
    FOVEA_TRY(card);
    run.card = card->model;
    const ModelShape& shape = run.card->shape;
    if (!chosen && preset == defaultPreset(true)) {
        run.otherDefault = !shape.causal;
        if (run.otherDefault) {
            run.policy = *presetPolicy(defaultPreset(false));
            run.request.policy = run.policy;
        }
    }
    FOVEA_TRY(policyFitsModel(run.policy, shape)); // before the weights are read
    if (run.request.against)
        FOVEA_TRY(policyFitsModel(*run.request.against, shape));
    if (run.request.other && !run.request.other->modelPath.empty()) {
        const Result<Inspection> otherCard = inspectUnhashed(run.request.other->modelPath, run.work);
        FOVEA_TRY(otherCard);
        if (const Result<> fits = policyFitsModel(run.policy, otherCard->model->shape); !fits)
            return tl::make_unexpected(
                Failure(Error{fits.error().code, "--against-model: " + fits.error().message}));
    }
    return run;
}

Outcome<> runEngine(TextRun& run, Engine& engine, bool quiet, Session& session) {
    Result<std::shared_ptr<const Snapshot>> snapshot = engine.run(run.request, {}, run.work);
    FOVEA_TRY(snapshot);
    run.snapshot = std::move(*snapshot);
    const Tokens& tokens = *run.snapshot->tokens;
    session.clearProgress();
    if (run.otherDefault)
        printNote("this model reads the text in both directions: without a policy option the preset \"" +
                      std::string(defaultPreset(false)) + "\" is taken",
                  quiet);
    if (run.snapshot->pastContext)
        printNote(std::to_string(tokens.size()) + " tokens are past the model's context of " +
                      std::to_string(run.snapshot->model->shape.context) + "; every result is labelled",
                  quiet);
    if (!run.request.nativeWindows)
        printNote(run.snapshot->model->info.change.empty()
                      ? "this model has no native windows; --native-windows off changes nothing"
                      : run.snapshot->model->info.change +
                            ", not the model as trained; every result is labelled",
                  quiet);
    for (const std::string& note : byteNotes(tokens))
        printNote(note, quiet);
    return {};
}

std::vector<std::string> byteNotes(const Tokens& tokens) {
    std::vector<std::string> notes;
    const auto add = [&](std::uint64_t count, const std::optional<std::uint64_t>& first, const char* one,
                         const char* several) {
        if (count > 0)
            notes.push_back(std::to_string(count) + (count == 1 ? one : several) + ", first at byte " +
                            std::to_string(first.value_or(0)));
    };
    add(tokens.unknownBytes, tokens.firstUnknownByte, " byte could not be tokenised",
        " bytes could not be tokenised");
    add(tokens.invalidBytes, tokens.firstInvalidByte, " byte is not UTF-8 and was read as U+FFFD",
        " bytes are not UTF-8 and were read as U+FFFD");
    return notes;
}

bool isFull(const AttentionPolicy& policy, const ModelShape& shape) {
    for (int layer = 0; layer < shape.layers; ++layer)
        if (!keptAsModel(policy, shape, layer))
            return false;
    return true;
}

} // namespace fovea::app
