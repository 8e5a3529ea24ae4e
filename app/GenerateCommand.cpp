#include "app/Command.h"
#include "app/Output.h"
#include "app/RunText.h"
#include "app/Usage.h"
#include "core/base/Memory.h"
#include "core/engine/Generate.h"
#include "core/engine/TextStage.h"
#include "core/export/GenerateJson.h"
#include "core/files/Sha256.h"
#include "core/text/Display.h"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numeric>

namespace fovea::app {

namespace {

struct Options {
    TextRunOptions text;
    std::string tokens = "64";
    std::string temperature = "0";
    std::string topK = "0";
    std::string topP = "1";
    std::string seed = "1";
    std::string step;
    std::string layer;
    std::string head;
};

/// Memory for the rows of a command that is asked for one of them.
constexpr std::uint64_t kRowBytes = 4ULL << 30U;

Outcome<double> parseReal(const std::string& option, const std::string& text, double least, double most) {
    double value = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value); // independent of the locale
    if (error != std::errc() || end != text.data() + text.size() || !(value >= least && value <= most)) {
        char range[64];
        std::snprintf(range, sizeof range, "a number from %g to %g", least, most);
        return badUsage(option + " is \"" + text + "\"; " + range + " is accepted");
    }
    return value;
}

Outcome<GenerateOptions> readOptions(const Options& options) {
    GenerateOptions read;
    Outcome<std::int64_t> tokens = parseWhole("--tokens", options.tokens, 1, 1 << 20);
    FOVEA_TRY(tokens);
    Outcome<double> temperature = parseReal("--temperature", options.temperature, 0, 100);
    FOVEA_TRY(temperature);
    Outcome<std::int64_t> topK = parseWhole("--top-k", options.topK, 0, 1 << 24);
    FOVEA_TRY(topK);
    Outcome<double> topP = parseReal("--top-p", options.topP, 0, 1);
    FOVEA_TRY(topP);
    Outcome<std::int64_t> seed =
        parseWhole("--sample-seed", options.seed, 0, std::numeric_limits<std::int64_t>::max());
    FOVEA_TRY(seed);
    read.tokens = static_cast<std::size_t>(*tokens);
    read.sampling = {*temperature, *topK, *topP, static_cast<std::uint64_t>(*seed)};
    return read;
}

/// What --step, --layer and --head say; empty: no row is asked for.
Outcome<std::optional<GenerateRowPlace>> readPlace(const Options& options, std::size_t tokens) {
    if (options.step.empty()) {
        if (!options.layer.empty() || !options.head.empty())
            return badUsage("--layer and --head are given without --step; they say whose row --step prints");
        return std::optional<GenerateRowPlace>();
    }
    Outcome<std::int64_t> step = parseWhole("--step", options.step, 0, static_cast<std::int64_t>(tokens) - 1);
    FOVEA_TRY(step);
    Outcome<std::int64_t> layer = parseWhole("--layer", options.layer.empty() ? "0" : options.layer, 0, 4095);
    FOVEA_TRY(layer);
    Outcome<std::int64_t> head = parseWhole("--head", options.head.empty() ? "0" : options.head, 0, 4095);
    FOVEA_TRY(head);
    return std::optional(
        GenerateRowPlace{static_cast<std::size_t>(*step), static_cast<int>(*layer), static_cast<int>(*head)});
}

/// The model's answer with its line breaks and indentation, but without control characters for terminals.
std::string shownText(std::string_view answer) {
    std::string text;
    while (!answer.empty()) {
        const std::size_t end = std::min(answer.find('\n'), answer.size());
        std::string_view line = answer.substr(0, end);
        const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
        text.append(indent, ' ').append(displayText(line.substr(indent), std::string::npos));
        text.append(end < answer.size() ? "\n" : "");
        answer.remove_prefix(std::min(end + 1, answer.size()));
    }
    return text;
}

std::string armText(const char* name, const GeneratedArm& arm, const Model& model) {
    char line[160];
    std::snprintf(line, sizeof line, "\n%s, %zu tokens%s, %.2f ms per token, cache %.1f MB:\n", name,
                  arm.ids.size(), arm.ended ? " to the end of the text" : "", 1000 * arm.perToken.median,
                  static_cast<double>(arm.kvBytes) / 1e6);
    return line + shownText(arm.text(model)) + "\n";
}

/// The keys that an arm's row weighs most, and what its caches hold.
std::string rowText(const Generation& generation, const Tokens& prompt, const GenerateRowPlace& place,
                    const Model& model, Isa isa) {
    std::string text;
    for (const GenerationArm arm : {GenerationArm::Full, GenerationArm::Hybrid}) {
        const bool full = arm == GenerationArm::Full;
        const DecodedRows rows = rowsOf(generation.prompt, generation.steps, arm);
        if (!rows.has(place.step)) {
            const GeneratedArm& ended = full ? generation.full : generation.hybrid;
            text += std::string("\n") + (full ? "full attention" : "hybrid attention") +
                    (place.step >= ended.ids.size() ? ": ended before step "
                                                    : ": the memory for rows was used up before step ") +
                    std::to_string(place.step) + "\n";
            continue;
        }
        const ReadRow row = readRow(model, rows, place.step, place.layer, place.head, isa);
        const CacheCount cache = countCache(*rows.rows[place.step], place.layer);
        const std::vector<std::int32_t>& ids = full ? generation.full.ids : generation.hybrid.ids;
        std::vector<std::size_t> order(row.weight.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        // A recurrent state has no weight for one token.
        std::erase_if(order, [&](std::size_t key) { return std::isnan(row.weight[key]); });
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return row.weight[a] > row.weight[b]; });
        order.resize(std::min<std::size_t>(order.size(), 8));
        char line[200];
        std::snprintf(line, sizeof line,
                      "\n%s, step %zu, layer %d head %d: token %zu reads %zu of %zu keys; the layer's cache "
                      "stores %zu, %zu are dropped\n",
                      full ? "full attention" : "hybrid attention", place.step, place.layer, place.head,
                      row.query, row.read, row.weight.size(), cache.stored, cache.dropped);
        text += line;
        for (const std::size_t key : order) {
            if (!(row.weight[key] > 0))
                break;
            const std::string piece =
                key < prompt.size() ? prompt.pieces[key] : model.tokenizer->piece(ids[key - prompt.size()]);
            std::snprintf(line, sizeof line, "%7zu  %8.5f  %-14s  ", key,
                          static_cast<double>(row.weight[key]),
                          std::string(readKindName(row.kind[key])).c_str());
            text += line + displayText(piece, 24) + "\n";
        }
    }
    return text;
}

Outcome<> run(const Options& options, Session& session) {
    const OutputOptions& output = options.text.output;
    Outcome<GenerateOptions> wanted = readOptions(options);
    FOVEA_TRY(wanted);
    Outcome<std::optional<GenerateRowPlace>> place = readPlace(options, wanted->tokens);
    FOVEA_TRY(place);
    OutputFiles files;
    files.add("--out", output.out);
    Outcome<TextRun> made = prepareRun(options.text, "default", files, session);
    FOVEA_TRY(made);
    TextRun& run = *made;
    Result<std::shared_ptr<const Model>> model = loadForDecoding(run.request, false, run.work);
    FOVEA_TRY(model);
    Result<Tokens> prompt = tokenizeText(**model, run.request, run.work);
    FOVEA_TRY(prompt);
    if (*place) {
        FOVEA_TRY(parseWhole("--layer", std::to_string((*place)->layer), 0, (*model)->shape.layers - 1));
        FOVEA_TRY(parseWhole("--head", std::to_string((*place)->head), 0, (*model)->shape.heads - 1));
        wanted->rowBytes = std::min(kRowBytes, memoryLimit(run.request.maxMemory) / 2);
    }
    Result<Generation> generated = generate(*model, *prompt, run.request, *wanted, run.work);
    FOVEA_TRY(generated);
    session.clearProgress();
    if (*place && (*place)->step >= generated->steps.size())
        return badUsage("--step is " + std::to_string((*place)->step) +
                        "; both arms ended the text earlier, and 0 to " +
                        std::to_string(generated->steps.size() - 1) + " is accepted");
    if (!generated->prompt.noRows.empty())
        return fail(ErrorCode::TooLarge, generated->prompt.noRows);
    DocumentHead head;
    head.model = model->get();
    head.policy = &run.policy;
    head.threads = Session::threadCount(run.threads);
    head.textHash = sha256Hex(*run.request.text);
    head.pastContext = generated->pastContext;
    if (generated->pastContext)
        printNote("prompt and continuation are past the model's context of " +
                      std::to_string((*model)->shape.context) + "; the result is labelled",
                  output.quiet);
    const std::string document =
        generateJson(head, prompt->size(), *wanted, *generated, *place, run.request.isa);
    std::string text =
        std::to_string(prompt->size()) + " tokens of prompt, " + run.policy.summary() +
        (isFull(run.policy, (*model)->shape) ? "\n" : "; drop-in: the weights never saw this policy\n");
    if (!(*model)->info.change.empty())
        text += "the model is " + (*model)->info.change + ", not as trained\n";
    text += armText("full attention", generated->full, **model);
    text += armText("hybrid attention", generated->hybrid, **model);
    if (*place)
        text += rowText(*generated, *prompt, **place, **model, run.request.isa);
    text += generated->divergence
                ? "\nthe arms differ from step " + std::to_string(*generated->divergence) + " on\n"
                : "\nthe arms never differ\n";
    return deliver(output, document, text);
}

} // namespace

Command addGenerate(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app = program.add_subcommand(
        "generate", "Continues a text with full and with hybrid attention, each with its own cache, and says "
                    "where they part. Greedy unless a temperature is given. Without a policy option: the "
                    "preset \"default\".");
    addTextRunOptions(*app, options->text, "Also write the JSON document to this file.");
    app->add_option("--tokens", options->tokens, "Tokens to add, at most. Default: 64.")
        ->type_name("N")
        ->group("Sampling");
    app->add_option("--temperature", options->temperature, "0: the most likely token each time. Default: 0.")
        ->type_name("X")
        ->group("Sampling");
    app->add_option("--top-k", options->topK, "Only the K most likely tokens; 0: all. Default: 0.")
        ->type_name("K")
        ->group("Sampling");
    app->add_option("--top-p", options->topP,
                    "Only the fewest tokens whose probability reaches P. Default: 1.")
        ->type_name("P")
        ->group("Sampling");
    app->add_option("--sample-seed", options->seed,
                    "Seed of the draws; both arms draw alike. (--seed is the router's.) Default: 1.")
        ->type_name("N")
        ->group("Sampling");
    const auto addRow = [&](const char* name, std::string& value, const char* type, const char* help) {
        app->add_option(name, value, help)->type_name(type)->group("One step in detail");
    };
    addRow("--step", options->step, "N",
           "Also what both arms read before they chose the token of step N, and what their caches stored.");
    addRow("--layer", options->layer, "L", "The layer of these rows, from 0. Default: 0.");
    addRow("--head", options->head, "H", "The head of these rows, from 0. Default: 0.");
    app->footer("Step 0 is the first token after the prompt.\n\nExamples:\n"
                "  fovea generate page.txt --tokens 100\n"
                "  fovea generate page.txt --window 64 --sinks 4 --temperature 0.8 --top-p 0.95\n"
                "  fovea generate page.txt --tokens 32 --step 17 --layer 12 --head 5 --json\n"
                "  fovea generate --text 'The capital of France is' --policy window-sinks --json");
    return {app, [options](Session& session) { return run(*options, session); }};
}

} // namespace fovea::app
