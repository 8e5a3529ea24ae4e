#pragma once
#include "app/Command.h"
#include "app/Outcome.h"
#include "app/TextOptions.h"
#include "core/engine/PolicyBench.h"
#include <memory>
#include <string>
#include <vector>

namespace fovea::app {

/// `bench --policies`: which policies are timed beside full attention, on which text.
struct BenchPolicyOptions {
    std::vector<std::string> names; ///< presets or policy files; "all": every causal preset. Empty: none
    std::string file;               ///< the text
    std::string maxTokens;
    std::string layers;
};
void addBenchPolicyOptions(CLI::App& app, BenchPolicyOptions& options);

/// What was timed, with the run it was timed on.
struct PolicyTimings {
    std::shared_ptr<const Snapshot> snapshot;
    std::vector<PolicyTiming> rows;
    int layers = 0; ///< timed ones
};
[[nodiscard]] Outcome<PolicyTimings> timePolicies(const BenchPolicyOptions& options, const RunOptions& run,
                                                  int rounds, int threads, bool quiet, Session& session);

/// One line per policy: counted and measured share, their quotient, and whether time follows count.
[[nodiscard]] std::string timingTable(const PolicyTimings& timings);

} // namespace fovea::app
