#pragma once
#include "core/policy/AttentionPolicy.h"
#include <string>
#include <string_view>

namespace fovea {

/// The name by which the field knows a preset: "StreamingLLM" for `streaming`. The id where it has no other.
[[nodiscard]] std::string_view presetName(const PolicyPreset& preset);
/// "StreamingLLM, 2023", the year being that of the paper it follows; without a paper the name alone.
[[nodiscard]] std::string presetTitle(const PolicyPreset& preset);

} // namespace fovea
