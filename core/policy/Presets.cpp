#include "core/files/Quote.h"
#include "core/policy/PresetRows.h"
#include <algorithm>

namespace fovea {

const std::vector<PolicyPreset>& policyPresets() {
    static const std::vector<PolicyPreset> presets = [] {
        std::vector<PolicyPreset> all;
        presets::appendStart(all);
        presets::appendFixed(all);
        presets::appendFar(all);
        presets::appendRouted(all);
        presets::appendPrefill(all);
        presets::appendControls(all);
        return all;
    }();
    return presets;
}

const PolicyPreset* presetOf(const AttentionPolicy& policy) {
    const auto& presets = policyPresets();
    const auto found = std::find_if(presets.begin(), presets.end(), [&](const PolicyPreset& preset) {
        return sameButName(preset.policy, policy);
    });
    return found == presets.end() ? nullptr : &*found;
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
    return fail(ErrorCode::BadValue, "no policy is named " + inQuotes(name) + "; there are " + names);
}

} // namespace fovea
