#include "core/policy/AttentionPolicy.h"

namespace fovea {

Result<> requireCausal(const AttentionPolicy& policy) {
    if (!policy.bidirectional())
        return {};
    const PolicyPreset* preset = presetOf(policy);
    const std::string name(preset != nullptr ? preset->name : "this policy");
    const auto refuse = [&](const std::string& reason, const std::string& needed) {
        return fail(ErrorCode::Unsupported, name + " " + reason + "; this model is causal: " + needed);
    };
    if (policy.anyParts([](const HeadParts& parts) { return parts.far.far == Far::Projection; }))
        return refuse(
            "mixes later keys and values into earlier ones, by E and F of k x n that are trained for one "
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
