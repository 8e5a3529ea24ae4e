#include "app/AttentionFacts.h"
#include "app/Command.h"
#include "app/Output.h"
#include "app/RecipeAnswer.h"
#include "app/RunText.h"
#include "app/Usage.h"
#include "core/base/Memory.h"
#include "core/engine/Engine.h"
#include "core/engine/HybridArm.h"
#include "core/engine/RunComparison.h"
#include "core/export/AttentionJson.h"
#include "core/files/Npy.h"
#include "core/measure/RowFacts.h"
#include "core/text/Display.h"
#include <algorithm>
#include <cstdio>

namespace fovea::app {

namespace {

struct Options {
    TextRunOptions text;
    std::string layer = "0";
    std::string head; ///< empty: 0
    std::string query = "last";
    std::string regime = "isolated";
    std::string rows;
    std::string npy;
    FactsOptions facts;
    RecipeOptions recipe;
};

/// Rows of the hybrid arm: of the full run's layer (isolated), or of the hybrid run's own (propagated).
struct HybridArm {
    AttentionInput input;
    AttentionPlan plan;
    std::vector<float> lse;
    Matrix q, k; ///< owned when propagated
};

Outcome<std::unique_ptr<HybridArm>> hybridArm(const TextRun& run, int layer, bool propagated) {
    auto arm = std::make_unique<HybridArm>();
    arm->input = run.snapshot->attentionInput(layer);
    if (!propagated) {
        arm->plan = *run.snapshot->visible->plan;
        arm->lse = run.snapshot->visible->lse;
        return arm;
    }
    FOVEA_TRY(watchHybrid(
        *run.snapshot, run.policy,
        [&](const WatchedLayer& watched) -> Result<> {
            if (watched.input.layer != layer)
                return {};
            arm->q = copyOf(watched.input.q);
            arm->k = copyOf(watched.input.k);
            arm->input.q = arm->q.view();
            arm->input.k = arm->k.view();
            arm->plan = watched.plan;
            arm->lse.assign(watched.lse.begin(), watched.lse.end());
            return {};
        },
        run.work));
    return arm;
}

/// Full attention's row beside the hybrid one; each arm from its own activations.
AttentionRow rowOf(const TextRun& run, const HybridArm& arm, int layer, int head, std::size_t query) {
    TileSource source = *run.snapshot->tileSource(layer);
    source.plan = &arm.plan;
    source.hybridLse = arm.lse;
    AttentionRow row = makeRow(head, query, source);
    if (arm.input.q.data != source.input.q.data) {
        source.input = arm.input;
        AttentionRow hybrid = makeRow(head, query, source);
        row.hybrid = std::move(hybrid.hybrid);
        row.reason = std::move(hybrid.reason);
    }
    return row;
}

/// Why each key is read, by the arm's own plan.
std::vector<ReadKind> kindsOf(const TextRun& run, const HybridArm& arm, const AttentionRowPlace& place) {
    TileSource source = *run.snapshot->tileSource(place.layer);
    source.input = arm.input;
    source.plan = &arm.plan;
    source.hybridLse = arm.lse;
    return readKinds(RowFacts(source, place.head, place.query));
}

/// Arm A's row; empty without --against and --against-model.
std::vector<float> againstOf(const TextRun& run, const AttentionRowPlace& place) {
    if (run.snapshot->other)
        return makeRow(place.head, place.query, *run.snapshot->other->tileSource(place.layer)).hybrid;
    if (!run.snapshot->against)
        return {};
    return makeRow(place.head, place.query, againstSource(*run.snapshot->tileSource(place.layer))).hybrid;
}

std::string table(const TextRun& run, const AttentionRowPlace& place, const AttentionRow& row,
                  const std::vector<float>& against) {
    const Tokens& tokens = *run.snapshot->tokens;
    std::vector<std::size_t> order(row.full.size());
    for (std::size_t j = 0; j < order.size(); ++j)
        order[j] = j;
    const std::size_t shown = std::min<std::size_t>(20, order.size());
    const auto larger = [&](std::size_t a, std::size_t b) {
        const auto heaviest = [&](std::size_t key) {
            return std::max({row.full[key], row.hybrid[key], against.empty() ? 0.0F : against[key]});
        };
        const float x = heaviest(a);
        const float y = heaviest(b);
        return x != y ? x > y : a < b;
    };
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(shown), order.end(), larger);
    std::size_t kept = 0;
    double mass = 0;
    for (std::size_t j = 0; j < row.reason.size(); ++j)
        if (row.reason[j] < Reason::Far) {
            ++kept;
            mass += static_cast<double>(row.full[j]);
        }
    char line[128];
    std::snprintf(
        line, sizeof line,
        "layer %d head %d query %zu, %s: reads %zu of %zu keys, which hold %.4f of full attention\n\n",
        place.layer, place.head, place.query, place.regime.c_str(), kept, row.full.size(), mass);
    std::string text = line;
    text += std::string("    key      full    hybrid  ") + (against.empty() ? "" : " against  ") +
            "reason   token\n";
    for (std::size_t n = 0; n < shown; ++n) {
        const std::size_t j = order[n];
        std::snprintf(line, sizeof line, "%7zu  %8.5f  %8.5f  ", j, static_cast<double>(row.full[j]),
                      static_cast<double>(row.hybrid[j]));
        text += line;
        if (!against.empty()) {
            std::snprintf(line, sizeof line, "%8.5f  ", static_cast<double>(against[j]));
            text += line;
        }
        std::snprintf(line, sizeof line, "%-7s  ", std::string(reasonName(row.reason[j])).c_str());
        text += line + displayText(tokens.pieces[j]) + "\n";
    }
    return text;
}

Outcome<> saveTile(const TextRun& run, const HybridArm& arm, const AttentionRowPlace& place, IndexRange rows,
                   const std::string& path) {
    const std::size_t tokens = run.snapshot->tokens->size();
    const std::size_t count = rows.last - rows.first;
    const std::uint64_t bytes = 2ULL * count * tokens * sizeof(float);
    FOVEA_TRY(requireMemory("A tile of " + std::to_string(count) + " rows", 2 * bytes,
                            memoryLimit(run.request.maxMemory), "fewer --rows would fit"));
    Matrix full(count, tokens);
    Matrix hybrid(count, tokens);
    for (std::size_t r = 0; r < count; ++r) {
        FOVEA_TRY(run.work.checkpoint());
        const AttentionRow row = rowOf(run, arm, place.layer, place.head, rows.first + r);
        std::copy(row.full.begin(), row.full.end(), full.view().row(r));
        std::copy(row.hybrid.begin(), row.hybrid.end(), hybrid.view().row(r));
    }
    std::string file = npyHeader({2, count, tokens});
    appendNpy(file, full.view());
    appendNpy(file, hybrid.view());
    return save(path, file);
}

/// Refuses options beside --against-model, which gives one row of each model.
Outcome<> checkOther(const Options& options) {
    if (options.text.otherModel.empty())
        return {};
    if (options.facts.any() || options.recipe.any() || !options.rows.empty() || options.regime != "isolated")
        return badUsage("--against-model gives one row of each model; it takes no --pair, --block, --token, "
                        "--lanes, --merge-heads, --merge, --by, --rows or --regime propagated");
    return {};
}

/// Refuses models whose rows are not of the same pairs.
Outcome<> checkPairs(const Snapshot& snapshot, int layer) {
    if (!snapshot.other)
        return {};
    if (const std::string why = whyNoPairs(snapshot); !why.empty())
        return badUsage("--against-model: " + why);
    const int layers = snapshot.other->model->shape.layers;
    if (layer >= layers)
        return badUsage("--layer is " + std::to_string(layer) + "; the model of --against-model has " +
                        std::to_string(layers) + " layers, counted from 0");
    return {};
}

Outcome<> run(const Options& options, Session& session) {
    if (options.rows.empty() != options.npy.empty())
        return badUsage(std::string(options.rows.empty() ? "--npy" : "--rows") + " is given without " +
                        (options.rows.empty() ? "--rows" : "--npy") + "; a tile needs both");
    if (options.regime != "isolated" && options.regime != "propagated")
        return badUsage("--regime is \"" + options.regime + "\"; isolated and propagated are accepted");
    if (!options.text.against.empty() && (options.regime != "isolated" || !options.rows.empty()))
        return badUsage(std::string("--against takes no ") +
                        (options.rows.empty() ? "--regime propagated" : "--rows"));
    FOVEA_TRY(checkOther(options));
    FOVEA_TRY(checkFacts(options.facts, !options.text.against.empty()));
    FOVEA_TRY(checkRecipe(options.recipe, !options.head.empty()));
    if (options.recipe.any() && (options.facts.any() || !options.rows.empty() ||
                                 options.regime != "isolated" || !options.text.against.empty()))
        return badUsage("--merge-heads, --merge and --by take no --pair, --block, --token, --lanes, --rows, "
                        "--against or --regime propagated");
    if (options.facts.any() && (!options.rows.empty() || options.regime != "isolated"))
        return badUsage(std::string("--pair, --block, --token and --lanes take no ") +
                        (options.rows.empty() ? "--regime propagated" : "--rows"));
    OutputFiles files;
    files.add("--out", options.text.output.out);
    files.add("--npy", options.npy);
    Outcome<TextRun> made = prepareRun(options.text, "", files, session);
    FOVEA_TRY(made);
    TextRun& run = *made;
    // Checked before the model is unpacked.
    const ModelShape& shape = run.card->shape;
    Outcome<std::int64_t> layer = parseWhole("--layer", options.layer, 0, shape.layers - 1);
    FOVEA_TRY(layer);
    Outcome<std::int64_t> head =
        parseWhole("--head", options.head.empty() ? "0" : options.head, 0, shape.heads - 1);
    FOVEA_TRY(head);
    AttentionRowPlace place{static_cast<int>(*layer), static_cast<int>(*head), 0, options.regime};
    run.request.visible.layer = place.layer;
    run.request.visible.head = place.head;
    Engine engine;
    FOVEA_TRY(runEngine(run, engine, options.text.output.quiet, session));
    FOVEA_TRY(checkPairs(*run.snapshot, place.layer));

    const std::size_t tokens = run.snapshot->tokens->size();
    IndexRange rows;
    place.query = tokens - 1;
    if (!options.rows.empty()) {
        Outcome<IndexRange> range = parseRange("--rows", options.rows, tokens);
        FOVEA_TRY(range);
        rows = *range;
        place.query = rows.last - 1;
    }
    if (options.query != "last") {
        Outcome<std::int64_t> query =
            parseWhole("--query", options.query, 0, static_cast<std::int64_t>(tokens) - 1);
        FOVEA_TRY(query);
        place.query = static_cast<std::size_t>(*query);
    }
    if (options.recipe.any()) {
        Outcome<FactsAnswer> answer = recipeAnswer(run, place.layer, place.head, place.query, options.recipe);
        FOVEA_TRY(answer);
        session.clearProgress();
        return deliver(options.text.output, answer->json, answer->text);
    }
    if (options.facts.any()) {
        std::optional<std::size_t> query;
        if (options.query != "last")
            query = place.query;
        Outcome<FactsAnswer> answer = factsAnswer(run, place.layer, place.head, query, options.facts);
        FOVEA_TRY(answer);
        session.clearProgress();
        return deliver(options.text.output, answer->json, answer->text);
    }
    Outcome<std::unique_ptr<HybridArm>> arm = hybridArm(run, place.layer, options.regime == "propagated");
    FOVEA_TRY(arm);
    session.clearProgress();
    if (!options.npy.empty())
        FOVEA_TRY(saveTile(run, **arm, place, rows, options.npy));
    const AttentionRow row = rowOf(run, **arm, place.layer, place.head, place.query);
    const std::vector<float> against = againstOf(run, place);
    return deliver(
        options.text.output,
        attentionJson(run.head(), place, *run.snapshot->tokens, row, kindsOf(run, **arm, place), against),
        table(run, place, row, against));
}

} // namespace

Command addAttention(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app =
        program.add_subcommand("attention", "What one query reads: its attention row, full beside hybrid. "
                                            "Each key with its reason. Without a policy "
                                            "option: full attention.");
    const auto add = [&](const char* name, std::string& value, const char* type, const char* help) {
        app->add_option(name, value, help)->type_name(type)->group("Row");
    };
    add("--layer", options->layer, "L", "From 0. Default: 0.");
    add("--head", options->head, "H", "From 0. Default: 0.");
    add("--query", options->query, "I|last",
        "The reading token, from 0. Default: last (with --rows, the last of them).");
    add("--regime", options->regime, "isolated|propagated",
        "isolated: the hybrid row from the full run's activations, so that the layer is judged alone. "
        "propagated: from the hybrid "
        "run's own. Default: isolated.");
    add("--rows", options->rows, "A:B", "Rows A to B-1, for --npy.");
    add("--npy", options->npy, "FILE",
        "Write the rows as a float32 array [2, B-A, T] in NumPy's format: full, then hybrid.");
    addFactsOptions(*app, options->facts);
    addAgainstOption(*app, options->text);
    app->add_option(
           "--against-model", options->text.otherModel,
           "Another model, whose row stands beside the hybrid one under the same policy. The tokens of "
           "both models must agree. As --model.")
        ->type_name("FILE")
        ->group("Policy");
    addRecipeOptions(*app, options->recipe);
    addTextRunOptions(*app, options->text, "Also write the JSON document to this file.");
    app->footer(
        "Examples:\n  fovea attention page.txt --layer 12 --head 3 --query 400 --policy default\n"
        "  fovea attention page.txt --layer 12 --head 3 --rows 0:512 --npy tile.npy --window 128 --sinks 4\n"
        "  fovea attention page.txt --layer 12 --head 3 --pair 400,17 --policy default --against streaming");
    return {app, [options](Session& session) { return run(*options, session); }};
}

} // namespace fovea::app
