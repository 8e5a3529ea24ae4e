#include "core/policy/PresetRows.h"

namespace fovea::presets {

void appendFar(std::vector<PolicyPreset>&) {}

} // namespace fovea::presets
