#include "app/ArrayJob.h"
#include "app/AgainCommand.h"
#include <algorithm>

namespace fovea::app {

namespace {

std::string shellLine(const std::vector<std::string>& words) {
    std::string line;
    for (const std::string& word : words)
        line += (line.empty() ? "" : " ") + shellWord(word);
    return line;
}

} // namespace

OutputFiles ArrayJob::outputs() const {
    OutputFiles files;
    files.add("--slurm", sweepPath());
    files.add("--slurm", mergePath());
    return files;
}

std::string ArrayJob::sweepScript() const {
    const std::string count = std::to_string(shards), there = shellWord(folder);
    return "#!/bin/bash\n"
           "# One shard of a sweep. Slurm: sbatch " +
           shellWord(sweepPath()) + "\n# Any other scheduler: start it with the number of the shard, 1 to " +
           count +
           ". A shard that was killed goes on where it was.\n"
           "#SBATCH --job-name=fovea-sweep\n"
           "#SBATCH --array=1-" +
           count + "\n#SBATCH --cpus-per-task=" + std::to_string(threads) + "\n#SBATCH --output=" + folder +
           "/%a.log\n#SBATCH --requeue\n"
           "set -eu\n"
           "shard=${SLURM_ARRAY_TASK_ID:-${1:?the number of the shard, 1 to " +
           count + "}}\ncd " + shellWord(workingFolder) + "\nexec " + shellWord(program) +
           " sweep --threads " + std::to_string(threads) + " --shard \"$shard/" + count + "\" --out " +
           there + "/\"$shard\".json --resume --quiet " + shellLine(words) + " > /dev/null\n";
}

std::string ArrayJob::mergeScript() const {
    std::vector<std::string> line{program, "merge"};
    for (std::size_t n = 1; n <= shards; ++n)
        line.push_back(folder + "/" + std::to_string(n) + ".json");
    line.insert(line.end(), {"--out", folder + "/points.json"});
    return "#!/bin/bash\n# Joins the shards of the sweep, when all are done.\nset -eu\nexec " +
           shellLine(line) + " \"$@\"\n";
}

std::vector<std::string> givenWords(const CLI::App& command, const std::vector<std::string>& without) {
    std::vector<std::string> words, last;
    for (const CLI::Option* option : command.get_options()) {
        const std::string name = option->get_name();
        if (option->count() == 0 || std::find(without.begin(), without.end(), name) != without.end())
            continue;
        for (const std::string& value : option->results()) {
            if (option->get_positional()) {
                last.push_back(value);
                continue;
            }
            words.push_back(name);
            if (option->get_expected_min() > 0)
                words.push_back(value);
        }
    }
    if (!last.empty()) { // a text whose name begins with a hyphen is no option
        words.emplace_back("--");
        words.insert(words.end(), last.begin(), last.end());
    }
    return words;
}

} // namespace fovea::app
