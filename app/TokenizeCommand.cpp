#include "app/Command.h"
#include "app/Output.h"
#include "app/RunText.h"
#include "app/TextOptions.h"
#include "app/Usage.h"
#include "core/engine/TextStage.h"
#include "core/export/Documents.h"
#include "core/files/Sha256.h"
#include "core/text/Display.h"
#include "core/text/TokenSearch.h"
#include <cstdio>

namespace fovea::app {

namespace {

struct Options {
    RunOptions run;
    TextOptions text;
    std::string find;
    OutputOptions output;
};

constexpr std::string_view kColumns = "  index      id   bytes            piece\n";

std::string line(const Tokens& tokens, std::size_t i) {
    const Span span = tokens.spans[i];
    char columns[96];
    std::snprintf(columns, sizeof columns, "%7zu %7d   %7u-%-7u  ", i, tokens.ids[i], span.begin, span.end);
    return columns + displayText(tokens.pieces[i]) + "\n";
}

/// The tokens of each match, with an empty line between matches.
std::string matchTable(const Tokens& tokens, const std::vector<TokenMatch>& matches) {
    std::string text(kColumns);
    for (const TokenMatch& match : matches) {
        if (&match != &matches.front())
            text += "\n";
        for (std::size_t i = match.first; i < match.last; ++i)
            text += line(tokens, i);
    }
    return text + std::to_string(matches.size()) + (matches.size() == 1 ? " match\n" : " matches\n");
}

std::string table(const Tokens& tokens) {
    std::string text(kColumns);
    for (std::size_t i = 0; i < tokens.size(); ++i)
        text += line(tokens, i);
    text += std::to_string(tokens.size()) + " tokens\n";
    for (const std::string& note : byteNotes(tokens))
        text += note + "\n";
    return text;
}

Outcome<> run(const Options& options, Session& session) {
    if (!options.find.empty() && (options.output.json || !options.output.out.empty()))
        return badUsage("--find prints a table; it is accepted without --json and --out");
    Outcome<std::shared_ptr<const std::string>> text = readText(options.text);
    FOVEA_TRY(text);
    Outcome<Request> request = makeRequest(options.run, options.text);
    FOVEA_TRY(request);
    request->text = *text;
    OutputFiles files;
    files.add("--out", options.output.out);
    files.keep("the text", options.text.file);
    files.keep("the model", request->modelPath);
    FOVEA_TRY(files.check());
    const WorkContext work = session.work(0, options.output.quiet);
    const bool document = options.output.json || !options.output.out.empty(); // which names the hash
    Result<std::shared_ptr<const Model>> model =
        document ? inspectModel(request->modelPath, work)
                 : inspectUnhashed(request->modelPath, work).map([](const Inspection& i) { return i.model; });
    FOVEA_TRY(model);
    Result<Tokens> tokens = tokenizeText(**model, *request, work);
    FOVEA_TRY(tokens);
    session.clearProgress();
    if (!options.find.empty()) {
        Result<std::vector<TokenMatch>> matches = findTokens(*tokens, **text, options.find);
        if (!matches)
            return badUsage("--find: " + matches.error().message);
        return print(matchTable(*tokens, *matches));
    }
    DocumentHead head;
    head.model = model->get();
    head.threads = 1;
    head.textHash = sha256Hex(**text);
    head.pastContext = tokens->size() > static_cast<std::size_t>((*model)->shape.context);
    if (!document)
        return print(table(*tokens));
    return deliver(options.output, tokenizeJson(head, *tokens), table(*tokens));
}

} // namespace

Command addTokenize(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app =
        program.add_subcommand("tokenize", "Shows a text as the model's tokens. Ids, pieces and byte spans; "
                                           "the spans cover the text without gap or overlap.");
    addTextOptions(*app, options->text);
    addModelOption(*app, options->run.model);
    app->add_option("--find", options->find,
                    "Print only the tokens that match: a word, #412, #412-420, id:284 or re:EXPRESSION.")
        ->type_name("WHAT")
        ->group("Text");
    addOutputOptions(*app, options->output, "Also write the JSON document to this file.");
    app->footer("In the JSON a piece that cuts a character is written with its loose bytes as \\xE2 and its "
                "index is listed in\n"
                "\"escaped_pieces\"; spans are byte offsets into the input.\n\n"
                "Examples:\n  fovea tokenize page.txt\n  echo 'one two' | fovea tokenize - --json\n"
                "  fovea tokenize --text '<|im_start|>user' --special-tokens");
    return {app, [options](Session& session) { return run(*options, session); }};
}

} // namespace fovea::app
