#pragma once
#include "app/Outcome.h"
#include "core/policy/AttentionPolicy.h"
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace fovea::app {

/// The policy options as typed: a preset or file, and single fields in the order of the ParamSpec table.
struct PolicyOptions {
    std::string base;                  ///< --policy; empty: not given
    std::vector<std::string> values;   ///< one per ParamSpec row
    std::vector<CLI::Option*> options; ///< one per ParamSpec row
    /// Was any of them given?
    [[nodiscard]] bool given() const;
};

/// Adds --policy and one option per ParamSpec row, with its help, unit and range. `options` must outlive
/// `app`.
void addPolicyOptions(CLI::App& app, PolicyOptions& options);

/// The policy that the options say: the preset or file (the empty policy without), then each field that was
/// given, checked. `notes` receives a sentence for each field that does nothing under this policy.
[[nodiscard]] Outcome<AttentionPolicy> readPolicy(const PolicyOptions& options,
                                                  std::vector<std::string>& notes);

/// A preset's name or a policy file. BadInput lists the presets.
[[nodiscard]] Outcome<AttentionPolicy> readPolicyNamed(const std::string& nameOrFile);

} // namespace fovea::app
