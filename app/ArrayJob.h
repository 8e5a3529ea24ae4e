#pragma once
#include "app/Outcome.h"
#include "app/Output.h"
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace fovea::app {

/// A sweep cut into shards for a scheduler: two scripts in a folder. sweep.sh is an array job of Slurm; its
/// number comes from SLURM_ARRAY_TASK_ID or, with any other scheduler, from its first argument. Each shard
/// writes NUMBER.json beside the scripts and goes on from it when it is started again. merge.sh joins them.
struct ArrayJob {
    std::string folder;
    std::size_t shards = 1;
    int threads = 1; ///< of a shard
    std::string program;
    std::vector<std::string> words; ///< options and texts of the sweep, without those of shards and output
    std::string workingFolder;      ///< that relative names are read from

    [[nodiscard]] OutputFiles outputs() const;
    [[nodiscard]] std::string sweepScript() const;
    [[nodiscard]] std::string mergeScript() const;
    [[nodiscard]] std::string sweepPath() const { return folder + "/sweep.sh"; }
    [[nodiscard]] std::string mergePath() const { return folder + "/merge.sh"; }
};

/// The options and then the texts of a command as it was given, except the options named in `without`.
[[nodiscard]] std::vector<std::string> givenWords(const CLI::App& command,
                                                  const std::vector<std::string>& without);

} // namespace fovea::app
