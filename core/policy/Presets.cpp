#include "core/policy/AttentionPolicy.h"
#include <algorithm>

namespace fovea {

namespace {

AttentionPolicy windowed(std::string name, std::int64_t window, std::int64_t sinks) {
    AttentionPolicy policy;
    policy.name = std::move(name);
    policy.local.window = window;
    policy.always.sinks = sinks;
    return policy;
}

AttentionPolicy routedBy(std::string name, std::string signal, double budget) {
    AttentionPolicy policy = windowed(std::move(name), 128, 4);
    policy.routed.signal = std::move(signal);
    policy.routed.budget = budget;
    return policy;
}

std::vector<PolicyPreset> makePresets() {
    AttentionPolicy full;
    full.name = "full";
    AttentionPolicy dilated = windowed("dilated", 128, 0);
    dilated.local.dilation = 2;
    AttentionPolicy chunked = windowed("chunked", 0, 0);
    chunked.local.chunk = 128;
    AttentionPolicy separators = windowed("separators", 224, 4);
    separators.always.punctuation = true;
    AttentionPolicy peaks = windowed("query-peak", 128, 4);
    peaks.routed.signal = "query_peak";
    peaks.routed.role = Role::Queries;
    peaks.routed.queryBudget = 32;
    constexpr std::string_view kStart = "Start here";
    constexpr std::string_view kFixed = "Fixed patterns";
    constexpr std::string_view kRouted = "Routed tokens";
    constexpr std::string_view kControl = "Controls";
    constexpr std::string_view kDropIn = "drop-in";
    constexpr std::string_view kTrained = "trained-for";
    return {
        {"default", kStart, "window 128, 4 sinks and 32 keys per query routed by group_dot at 8 bits", kDropIn,
         "", routedBy("window 128 + 4 sinks + 32 routed", "group_dot", 32)},
        {"full", kStart, "every query reads every key up to itself", kDropIn, "1706.03762", full},
        {"window", kFixed, "the last 128 keys only; loses the first tokens, on which ordinary weights lean",
         kTrained, "2004.05150", windowed("window 128", 128, 0)},
        {"window-sinks", kFixed, "the last 128 keys and the first 4", kDropIn, "2309.17453",
         windowed("window 128 + 4 sinks", 128, 4)},
        {"dilated", kFixed, "128 keys, every second one (reach 255)", kTrained, "2004.05150", dilated},
        {"chunked", kFixed, "own chunk of 128 tokens up to the query", kTrained, "2009.06732", chunked},
        {"separators", kFixed, "window 224, 4 sinks and all punctuation tokens, without sepllm's cap of 32",
         kDropIn, "2412.12094", separators},
        {"head-dot", kRouted, "as default, chosen per head by head_dot", kDropIn, "",
         routedBy("window 128 + 4 sinks + 32 by head_dot", "head_dot", 32)},
        {"key-norm", kRouted, "as default, chosen by key_norm", kDropIn, "2406.11430",
         routedBy("window 128 + 4 sinks + 32 by key_norm", "key_norm", 32)},
        {"query-peak", kRouted, "window 128, 4 sinks; 32 tokens with a peaked row read everything", kDropIn, "",
         peaks},
        {"random", kControl, "as default, chosen at random: the lower control", kDropIn, "",
         routedBy("window 128 + 4 sinks + 32 random", "random", 32)},
        {"oracle", kControl, "as default, chosen by the true attention probability: the upper control",
         kDropIn, "", routedBy("window 128 + 4 sinks + 32 by oracle", "oracle", 32)},
    };
}

} // namespace

const std::vector<PolicyPreset>& policyPresets() {
    static const std::vector<PolicyPreset> presets = makePresets();
    return presets;
}

Result<AttentionPolicy> presetPolicy(std::string_view name) {
    std::string wanted(name);
    std::replace(wanted.begin(), wanted.end(), '_', '-');
    std::string names;
    for (const PolicyPreset& preset : policyPresets()) {
        if (preset.name == wanted)
            return preset.policy;
        names.append(names.empty() ? "" : ", ").append(preset.name);
    }
    return fail(ErrorCode::BadValue, "no policy is named \"" + std::string(name) + "\"; there are " + names);
}

} // namespace fovea
