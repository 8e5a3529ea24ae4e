#include "app/Command.h"
#include "app/Output.h"
#include "app/SweepFiles.h"
#include "core/export/SweepFile.h"

namespace fovea::app {

namespace {

struct Options {
    std::vector<std::string> files;
    OutputOptions output;
};

Outcome<> run(const Options& options) {
    if (options.files.empty())
        return badUsage("no FILE is given; the files of all shards of a sweep are accepted");
    Outcome<SweepFiles> files = SweepFiles::named(options.output.out);
    FOVEA_TRY(files);
    OutputFiles outputs = files->outputs();
    for (const std::string& file : options.files)
        outputs.keep("one of the shards", file);
    FOVEA_TRY(outputs.check());
    std::vector<SweepFile> shards;
    for (const std::string& file : options.files) {
        Outcome<SweepReport> report = readSweep(file);
        FOVEA_TRY(report);
        shards.push_back({file, std::move(*report)});
    }
    Result<SweepReport> merged = mergeSweeps(shards);
    FOVEA_TRY(merged);
    const Outcome<> saved = files->write(*merged);
    FOVEA_TRY(print(options.output.json ? sweepJson(*merged) : sweepTable(*merged)));
    return saved;
}

} // namespace

Command addMerge(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app = program.add_subcommand(
        "merge", "Join the shards of a sweep. The file is that of the sweep in one go, clock readings aside. "
                 "All shards must be there, complete, and of one sweep.");
    app->add_option("FILE", options->files, "The documents that \"sweep --shard\" wrote.");
    addOutputOptions(
        *app, options->output,
        "Write the points to this file: NAME.json is the JSON document, with a table in NAME.csv "
        "beside it; NAME.csv is the table alone.");
    app->footer("Example:\n  fovea merge 1.json 2.json 3.json --out points.json");
    return {app, [options](Session&) { return run(*options); }};
}

} // namespace fovea::app
