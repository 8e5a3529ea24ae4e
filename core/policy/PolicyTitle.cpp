#include "core/policy/PolicyTitle.h"
#include "core/base/Check.h"
#include "core/policy/PresetTitle.h"

namespace fovea {

std::string policyTitle(const AttentionPolicy& policy) {
    const PolicyPreset* preset = presetOf(policy);
    return preset != nullptr ? presetTitle(*preset) : policy.summary();
}

std::string armTitle(const std::optional<AttentionPolicy>& policy) {
    return policy && !sameButName(*policy, fullPolicy()) ? policyTitle(*policy) : "full attention";
}

const AttentionPolicy& fullPolicy() {
    static const AttentionPolicy full = [] {
        Result<AttentionPolicy> preset = presetPolicy("full");
        FOVEA_ASSERT(preset.has_value());
        return std::move(*preset);
    }();
    return full;
}

} // namespace fovea
