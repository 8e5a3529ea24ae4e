#pragma once
#include "core/policy/AttentionPolicy.h"
#include <string_view>
#include <vector>

namespace fovea::ui {

/// The parts of a policy as the panel's sections, in the order of the policy file.
[[nodiscard]] const std::vector<std::string_view>& sectionNames();
/// Whether the part has an effect. Local is on if it reads at least one key.
[[nodiscard]] bool sectionOn(const AttentionPolicy& policy, std::string_view section);
/// The policy with this part switched off and the other parts unchanged.
[[nodiscard]] AttentionPolicy withoutSection(AttentionPolicy policy, std::string_view section);
/// The policy with this part as in `source`.
[[nodiscard]] AttentionPolicy withSectionOf(AttentionPolicy policy, std::string_view section,
                                            const AttentionPolicy& source);

} // namespace fovea::ui
