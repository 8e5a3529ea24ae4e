#include "app/Texts.h"
#include <algorithm>

namespace fovea::app {

namespace {

std::vector<std::string> namesOf(const TextList& list) {
    std::vector<std::string> names = list.files;
    if (names.empty())
        names.emplace_back();
    names.insert(names.end(), list.heldOut.begin(), list.heldOut.end());
    return names;
}

} // namespace

void addTexts(CLI::App& app, TextList& list, TextRunOptions& options, const std::string& help) {
    app.add_option("FILE", list.files, help)->group("Text");
    options.text.textOption =
        app.add_option("--text", options.text.text, "The text itself.")->type_name("\"...\"")->group("Text");
    addReadingOptions(app, options.text);
    app.add_option("--max-tokens", options.maxTokens,
                   "Only the first tokens of each text. Default: all of it.")
        ->type_name("N")
        ->group("Text");
}

void addHeldOut(CLI::App& app, TextList& list, const std::string& help) {
    app.add_option("--held-out", list.heldOut, help)
        ->type_name("FILE")
        ->group("Text")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

Outcome<> checkTexts(const TextList& list, const TextRunOptions& options) {
    if (!list.files.empty() && options.text.textOption->count() > 0)
        return badUsage("both a file (" + list.files.front() +
                        ") and --text are given; one of them is accepted");
    const std::vector<std::string> names = namesOf(list);
    if (std::count(names.begin(), names.end(), "-") > 1)
        return badUsage("standard input (-) is named more than once; it can be read once");
    return {};
}

Outcome<std::vector<NamedText>> prepareTexts(const TextList& list, const TextRunOptions& options,
                                             const std::string& preset, OutputFiles outputs,
                                             Session& session) {
    for (const std::string& name : list.files)
        outputs.keep("a text", name);
    for (const std::string& name : list.heldOut)
        outputs.keep("a held-out text", name);
    outputs.keep("the file of --policy", options.policy.base);
    std::vector<NamedText> texts;
    for (const std::string& name : namesOf(list)) {
        TextRunOptions one = options;
        one.text.file = name;
        if (!texts.empty())
            one.output.quiet = true;
        if (texts.size() >= list.own())
            one.text.textOption = nullptr;
        Outcome<TextRun> run = prepareRun(one, preset, texts.empty() ? outputs : OutputFiles(), session);
        FOVEA_TRY(run);
        texts.push_back({name.empty() ? "--text" : name, std::move(*run)});
    }
    const WorkContext work = session.work(texts.front().run.threads, options.output.quiet);
    for (NamedText& text : texts)
        text.run.work = work;
    return texts;
}

} // namespace fovea::app
