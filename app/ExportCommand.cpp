#include "app/Command.h"
#include "app/Output.h"
#include "app/Pictures.h"
#include "app/RunText.h"
#include "app/Usage.h"
#include "core/engine/Engine.h"
#include "core/export/Report.h"
#include "core/files/Npy.h"
#include "core/measure/SentenceFidelity.h"
#include "core/policy/PolicyJson.h"

namespace fovea::app {

namespace {

struct Options {
    TextRunOptions text;
    std::string layer = "0";
    std::string head = "0";
    std::string queries = ":";
    std::string keys = ":";
    std::string map;
    std::string rows;
    std::string policy;
    std::string hidden;
    std::string sentence;
    [[nodiscard]] bool vectors() const { return !hidden.empty() || !sentence.empty(); }
};

/// What --hidden and --sentence write: the full run, then the hybrid one.
Outcome<> saveVectors(const Snapshot& snapshot, const Options& options) {
    const ConstMatrixView arms[] = {snapshot.full->hidden->view(), snapshot.propagated->hidden->view()};
    if (!options.hidden.empty()) {
        std::string file = npyHeader({2, arms[0].rows, arms[0].cols});
        for (const ConstMatrixView& arm : arms)
            appendNpy(file, arm);
        FOVEA_TRY(save(options.hidden, file));
    }
    if (options.sentence.empty())
        return {};
    std::string file = npyHeader({2, arms[0].cols});
    for (const ConstMatrixView& arm : arms) {
        const std::vector<float> vector = sentenceVector(arm, snapshot.model->shape.pooling);
        appendNpy(file, ConstMatrixView(vector.data(), 1, vector.size()));
    }
    return save(options.sentence, file);
}

Outcome<> run(const Options& options, Session& session) {
    if (options.map.empty() && options.rows.empty() && options.policy.empty() && !options.vectors())
        return badUsage("nothing to export is named; --map FILE.png, --rows FILE.csv, --hidden FILE.npy, "
                        "--sentence FILE.npy and --policy-file FILE.json are accepted");
    if (!options.map.empty() && !drawsPictures())
        return badUsage("--map: this build has no pictures (FOVEA_CORE_ONLY); --rows FILE.csv is accepted");
    if (!options.map.empty() && !options.map.ends_with(".png") && !options.map.ends_with(".svg") &&
        !options.map.ends_with(".pdf"))
        return badUsage("--map is \"" + options.map +
                        "\"; a name that ends in .png, .svg or .pdf is accepted");
    if (!options.text.against.empty() && options.map.empty() && options.rows.empty())
        return badUsage("--against is given without --map or --rows; nothing else is compared");
    OutputFiles files;
    files.add("--map", options.map);
    files.add("--rows", options.rows);
    files.add("--policy-file", options.policy);
    files.add("--hidden", options.hidden);
    files.add("--sentence", options.sentence);
    Outcome<TextRun> made = prepareRun(options.text, "default", files, session);
    FOVEA_TRY(made);
    TextRun& run = *made;
    std::string written;
    if (!options.map.empty() || !options.rows.empty() || options.vectors()) {
        const ModelShape& shape = run.card->shape;
        Outcome<std::int64_t> layer = parseWhole("--layer", options.layer, 0, shape.layers - 1);
        FOVEA_TRY(layer);
        Outcome<std::int64_t> head = parseWhole("--head", options.head, 0, shape.heads - 1);
        FOVEA_TRY(head);
        run.request.visible.layer = static_cast<int>(*layer);
        run.request.visible.head = static_cast<int>(*head);
        if (!options.sentence.empty() && shape.predictsTokens())
            return badUsage("--sentence: this model predicts tokens and has no sentence vector; --hidden is "
                            "accepted, and encoders (bert)");
        if (options.vectors())
            run.request.depth = Depth::Propagated;
        Engine engine;
        FOVEA_TRY(runEngine(run, engine, options.text.output.quiet, session));
        const std::size_t tokens = run.snapshot->tokens->size();
        if (!options.rows.empty()) {
            Outcome<IndexRange> queries = parseRange("--queries", options.queries, tokens);
            FOVEA_TRY(queries);
            Outcome<IndexRange> keys = parseRange("--keys", options.keys, tokens);
            FOVEA_TRY(keys);
            const Result<std::string> csv =
                attentionCsv(*run.snapshot, static_cast<int>(*layer), static_cast<int>(*head),
                             {queries->first, queries->last}, {keys->first, keys->last}, kMostCsvPairs);
            FOVEA_TRY(csv);
            FOVEA_TRY(save(options.rows, *csv));
            written += " " + options.rows;
        }
        if (options.vectors()) {
            FOVEA_TRY(saveVectors(*run.snapshot, options));
            for (const std::string& path : {options.hidden, options.sentence})
                written += path.empty() ? "" : " " + path;
        }
        session.clearProgress();
        if (!options.map.empty()) {
            FOVEA_TRY(saveMap(*run.snapshot, options.map));
            written += " " + options.map;
        }
    }
    if (!options.policy.empty()) { // last: it is not left behind by an export that is refused
        FOVEA_TRY(save(options.policy, policyToJson(run.policy)));
        written += " " + options.policy;
    }
    return print("written:" + written + "\n");
}

} // namespace

Command addExport(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app = program.add_subcommand(
        "export", "Saves the attention map of one head as a picture, its "
                  "numbers as CSV, hidden states, the policy as a file. Without a policy "
                  "option: the preset \"default\".");
    const auto add = [&](const char* name, std::string& value, const char* type, const char* help) {
        app->add_option(name, value, help)->type_name(type)->group("What");
    };
    add("--map", options->map, "FILE.png|.svg|.pdf", "Full beside hybrid, with legend and provenance.");
    add("--rows", options->rows, "FILE.csv",
        "query, key, token texts, p, hybrid p, reason; and of which layer, head, model, text and policy.");
    add("--hidden", options->hidden, "FILE.npy",
        "Last hidden states, a float32 array [2, T, M] in NumPy's format: the full run, then the hybrid "
        "run.");
    add("--sentence", options->sentence, "FILE.npy",
        "Of an encoder: sentence vectors [2, M] of length 1, pooled as the model says; full, then hybrid.");
    add("--policy-file", options->policy, "FILE.json", "The policy that the options say, for --policy.");
    add("--layer", options->layer, "L", "From 0. Default: 0.");
    add("--head", options->head, "H", "From 0. Default: 0.");
    add("--queries", options->queries, "A:B", "Of --rows: queries A to B-1. Default: all.");
    add("--keys", options->keys, "A:B", "Of --rows: keys A to B-1. Default: all.");
    addAgainstOption(*app, options->text);
    addTextRunOptions(*app, options->text, ""); // each kind of export has an option of its own
    app->footer("Examples:\n  fovea export page.txt --layer 12 --head 3 --map map.png\n"
                "  fovea export page.txt --layer 12 --head 3 --queries 400:420 --rows rows.csv --window 64 "
                "--sinks 4");
    return {app, [options](Session& session) { return run(*options, session); }};
}

} // namespace fovea::app
