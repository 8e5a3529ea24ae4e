#pragma once
#include "core/policy/AttentionPolicy.h"
#include <string>
#include <vector>

// How presets are written; one file per family appends its own (Presets*.cpp). A preset uses the policy's
// parts only: what it needs and no part can say belongs into a part.
namespace fovea::presets {

inline constexpr std::string_view kDropIn = "drop-in";
inline constexpr std::string_view kAdapted = "adapted";
inline constexpr std::string_view kTrained = "trained-for";

void appendStart(std::vector<PolicyPreset>& presets);   ///< what a first launch and comparisons need
void appendFixed(std::vector<PolicyPreset>& presets);   ///< windows, chunks, sinks, separators
void appendFar(std::vector<PolicyPreset>& presets);     ///< 2.2: linear, low-rank, recurrent
void appendRouted(std::vector<PolicyPreset>& presets);  ///< 2.3: content routing and selection of keys
void appendPrefill(std::vector<PolicyPreset>& presets); ///< 2.4: sparse prefill and trained sparsity
void appendControls(std::vector<PolicyPreset>& presets);

[[nodiscard]] inline AttentionPolicy windowed(std::string name, std::int64_t window, std::int64_t sinks) {
    AttentionPolicy policy;
    policy.name = std::move(name);
    policy.local.window = window;
    policy.always.sinks = sinks;
    return policy;
}

/// Head policies by turns for the first four heads: a preset does not know how many a model has, and few
/// models have fewer.
[[nodiscard]] inline std::vector<std::string> alternating(const std::string& even, const std::string& odd) {
    return {even, odd, even, odd};
}

/// Window 128, 4 sinks, `budget` keys per query by `signal`.
[[nodiscard]] inline AttentionPolicy routedBy(std::string name, std::string signal, double budget) {
    AttentionPolicy policy = windowed(std::move(name), 128, 4);
    policy.routed.signal = std::move(signal);
    policy.routed.budget = budget;
    return policy;
}

} // namespace fovea::presets
