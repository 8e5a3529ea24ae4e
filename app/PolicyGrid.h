#pragma once
#include "app/Outcome.h"
#include "app/PolicyOptions.h"
#include "core/engine/Sweep.h"
#include <string>
#include <vector>

namespace fovea::app {

/// The options of a command that runs a grid of policies: --over and --policies.
struct PolicyGridOptions {
    std::vector<std::string> over, list;
};

/// Base policies, and the parameters that are varied over each of them.
struct PolicyGrid {
    std::vector<AttentionPolicy> bases; ///< of --policies; without them, the single policy of the command
    std::vector<SweepAxis> axes;
};

/// Reads the axes and the base policies. `single` and `base`: the options of a single policy, and what they
/// give. A base that routes nothing gets the router of the preset default where an option of routing is
/// varied. `notes` receives a sentence for that, and for each option that is given and varied. Errors: bad
/// usage for --policies together with a single policy, and for an axis or policy that cannot be read.
[[nodiscard]] Outcome<PolicyGrid> readPolicyGrid(const PolicyGridOptions& options,
                                                 const PolicyOptions& single, const AttentionPolicy& base,
                                                 std::vector<std::string>& notes);

/// Of these errors the first, which needs no file: before any work.
[[nodiscard]] Outcome<> checkPolicyGrid(const PolicyGridOptions& options, const PolicyOptions& single);

} // namespace fovea::app
