#include "core/policy/PresetRows.h"

namespace fovea::presets {

void appendRouted(std::vector<PolicyPreset>& presets) {
    constexpr std::string_view kFamily = "Routed tokens";
    const auto add = [&](std::string_view name, std::string_view help, std::string_view weights,
                         std::string_view source, AttentionPolicy policy) {
        presets.push_back({name, kFamily, help, weights, source, std::move(policy)});
    };
    add("head-dot", "as default, chosen per head by head_dot", kDropIn, "",
        routedBy("window 128 + 4 sinks + 32 by head_dot", "head_dot", 32));
    add("key-norm", "as default, chosen by key_norm", kDropIn, "2406.11430",
        routedBy("window 128 + 4 sinks + 32 by key_norm", "key_norm", 32));
    AttentionPolicy peaks = windowed("query-peak", 128, 4);
    peaks.routed.signal = "query_peak";
    peaks.routed.role = Role::Queries;
    peaks.routed.queryBudget = 32;
    add("query-peak", "window 128, 4 sinks; 32 tokens with a peaked row read everything", kDropIn, "", peaks);
}

void appendControls(std::vector<PolicyPreset>& presets) {
    constexpr std::string_view kFamily = "Controls";
    presets.push_back({"random", kFamily, "as default, chosen at random: the lower control", kDropIn, "",
                       routedBy("window 128 + 4 sinks + 32 random", "random", 32)});
    presets.push_back({"oracle", kFamily,
                       "as default, chosen by the true attention probability: the upper control", kDropIn, "",
                       routedBy("window 128 + 4 sinks + 32 by oracle", "oracle", 32)});
}

} // namespace fovea::presets
