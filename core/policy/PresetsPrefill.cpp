#include "core/policy/PresetRows.h"

namespace fovea::presets {

void appendPrefill(std::vector<PolicyPreset>&) {}

} // namespace fovea::presets
