#pragma once
#include "core/policy/ParamSpec.h"
#include <QString>
#include <string_view>
#include <vector>

namespace fovea::ui {

/// The parts of a policy as the panel's sections, in the order of the policy file.
[[nodiscard]] const std::vector<std::string_view>& sectionNames();
/// The section's name as shown: "Far field" for Far.
[[nodiscard]] QString sectionTitle(std::string_view section);
/// Whether the part has an effect. Local is on if it reads at least one key.
[[nodiscard]] bool sectionOn(const AttentionPolicy& policy, std::string_view section);
/// The part in words, "signal group_dot, routed keys 32": its knobs, and what else has an effect and is not
/// at the value of an empty policy; "off" when the part is off.
[[nodiscard]] QString sectionState(const AttentionPolicy& policy, std::string_view section);
/// The policy with this part switched off and the other parts unchanged.
[[nodiscard]] AttentionPolicy withoutSection(AttentionPolicy policy, std::string_view section);
/// The policy with this part as in `source`.
[[nodiscard]] AttentionPolicy withSectionOf(AttentionPolicy policy, std::string_view section,
                                            const AttentionPolicy& source);

/// The parameters that a first look needs, shown above the sections: window, sinks, signal, the budget of
/// keys (one row per kind, of which one has an effect), far field.
[[nodiscard]] const std::vector<std::string_view>& knobKeys();
[[nodiscard]] bool isKnob(const ParamSpec& spec);

} // namespace fovea::ui
