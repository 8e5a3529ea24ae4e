#include "ui/params/Sections.h"

namespace fovea::ui {

const std::vector<std::string_view>& sectionNames() {
    static const std::vector<std::string_view> names = {"Local", "Always", "Routed", "Far", "Mix"};
    return names;
}

bool sectionOn(const AttentionPolicy& policy, std::string_view section) {
    if (section == "Local")
        return policy.local.window > 0 || policy.local.chunk > 0;
    if (section == "Always")
        return policy.always.sinks > 0 || !policy.always.pinned.empty() || policy.always.special ||
               policy.always.punctuation || policy.always.sinkLogit;
    if (section == "Routed")
        return policy.routed.on();
    if (section == "Far")
        return policy.far.on();
    return !(policy.mix == MixPart{}) || !policy.headPolicies.empty();
}

AttentionPolicy withoutSection(AttentionPolicy policy, std::string_view section) {
    AttentionPolicy off;
    off.local.window =
        0; // in a file a missing local part means full attention; here the local part is switched off
    return withSectionOf(std::move(policy), section, off);
}

AttentionPolicy withSectionOf(AttentionPolicy policy, std::string_view section,
                              const AttentionPolicy& source) {
    if (section == "Local")
        policy.local = source.local;
    else if (section == "Always")
        policy.always = source.always;
    else if (section == "Routed")
        policy.routed = source.routed;
    else if (section == "Far") {
        policy.far = source.far;
        policy.combine = source.combine;
    } else {
        policy.mix = source.mix;
        policy.headPolicies = source.headPolicies;
    }
    policy.name.clear();
    return policy;
}

} // namespace fovea::ui
