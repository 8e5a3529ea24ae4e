#pragma once
#include "app/Outcome.h"
#include "core/policy/AttentionPolicy.h"
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace fovea::app {

/// The policy options as given on the command line: a preset or file, and single fields in the order of the
/// ParamSpec table.
struct PolicyOptions {
    std::string base;                  ///< --policy; empty: not given
    std::vector<std::string> values;   ///< one per ParamSpec row
    std::vector<CLI::Option*> options; ///< one per ParamSpec row
    /// Whether any of them was given.
    [[nodiscard]] bool given() const;
};

/// Adds --policy and one option per ParamSpec row, with its help, unit and range. `options` must outlive
/// `app`.
void addPolicyOptions(CLI::App& app, PolicyOptions& options);

/// The policy from the options: the preset or file (or else the empty policy) with each given field set, and
/// checked. `notes` receives a sentence for each given field that has no effect under this policy.
[[nodiscard]] Outcome<AttentionPolicy> readPolicy(const PolicyOptions& options,
                                                  std::vector<std::string>& notes);

/// The policy of a preset or a policy file. An unknown name is bad input; the message names `option` and
/// lists the presets.
[[nodiscard]] Outcome<AttentionPolicy> readPolicyNamed(const std::string& nameOrFile,
                                                       const std::string& option = "--policy");

} // namespace fovea::app
