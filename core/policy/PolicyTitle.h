#pragma once
#include "core/policy/AttentionPolicy.h"
#include <optional>
#include <string>

namespace fovea {

/// What a policy is called where it is compared with another one: the title of the preset that it equals,
/// else its summary ("window 128, sinks 4, group_dot 32").
[[nodiscard]] std::string policyTitle(const AttentionPolicy& policy);
/// The same of arm A, where no policy is full attention.
[[nodiscard]] std::string armTitle(const std::optional<AttentionPolicy>& policy);

/// The preset that reads every key, as a policy. Arm A stands for it without a policy.
[[nodiscard]] const AttentionPolicy& fullPolicy();

} // namespace fovea
