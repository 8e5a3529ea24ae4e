#pragma once
#include "core/policy/AttentionPolicy.h"
#include <optional>
#include <string>
#include <string_view>

namespace fovea {

/// The name by which the field knows a preset: "StreamingLLM" for `streaming`. The id where it has no other.
[[nodiscard]] std::string_view presetName(const PolicyPreset& preset);
/// The year of the paper the preset follows, from its arXiv id; empty if it follows none.
[[nodiscard]] std::optional<int> presetYear(const PolicyPreset& preset);
/// "StreamingLLM, 2023"; without a paper the name alone.
[[nodiscard]] std::string presetTitle(const PolicyPreset& preset);

} // namespace fovea
