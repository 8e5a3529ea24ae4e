#include "ui/params/Sections.h"

namespace fovea::ui {

const std::vector<std::string_view>& sectionNames() {
    static const std::vector<std::string_view> names = {"Local", "Always", "Routed", "Mix"};
    return names;
}

bool sectionOn(const AttentionPolicy& policy, std::string_view section) {
    if (section == "Local")
        return policy.local.window > 0 || policy.local.chunk > 0;
    if (section == "Always")
        return policy.always.sinks > 0 || !policy.always.pinned.empty() || policy.always.special ||
               policy.always.punctuation;
    if (section == "Routed")
        return policy.routed.on();
    return policy.mix.fullEvery > 0 || !policy.mix.fullLayers.empty();
}

AttentionPolicy withoutSection(AttentionPolicy policy, std::string_view section) {
    AttentionPolicy off;
    off.local.window = 0; // in a file a missing local part means full attention; here the path itself goes
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
    else
        policy.mix = source.mix;
    policy.name.clear();
    return policy;
}

} // namespace fovea::ui
