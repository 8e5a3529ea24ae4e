#include "core/policy/AttentionPolicy.h"
#include <algorithm>

namespace fovea {

namespace {

std::string presetOf(const AttentionPolicy& policy) {
    const auto& presets = policyPresets();
    const auto found = std::find_if(presets.begin(), presets.end(), [&](const PolicyPreset& preset) {
        AttentionPolicy named = preset.policy;
        named.name = policy.name;
        return named == policy;
    });
    return found == presets.end() ? "this policy" : std::string(found->name);
}

} // namespace

Result<> requireCausal(const AttentionPolicy& policy) {
    if (!policy.bidirectional())
        return {};
    const auto refuse = [&](const std::string& reason, const std::string& needed) {
        return fail(ErrorCode::Unsupported, presetOf(policy) + " " + reason + "; this model is causal: " + needed);
    };
    if (policy.anyParts([](const HeadParts& parts) { return parts.far.far == Far::Projection; }))
        return refuse("mixes later keys and values into earlier ones, by E and F of k x n that are trained for one "
                      "fixed n",
                      "a bidirectional (encoder) model of that length is needed, and \"summaries\" is the nearest that "
                      "runs here");
    if (policy.mix.parity == Parity::BigBird)
        return refuse("reads later blocks of keys",
                      "a bidirectional (encoder) model is needed, and \"bigbird-itc\" is its causal form");
    return refuse("reads later keys",
                  "a bidirectional (encoder) model is needed, and \"longformer\" is its causal form");
}

} // namespace fovea
