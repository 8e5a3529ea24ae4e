#pragma once
#include "core/engine/Gates.h"
#include "core/engine/Snapshot.h"
#include "core/engine/StoredTier.h"
#include <string>
#include <vector>

namespace fovea::app {

/// What `analyze` prints for people: full beside hybrid, ratios, fidelity, gates, with the labels that belong
/// to them.
[[nodiscard]] std::string analyzeTable(const Snapshot& snapshot, const std::vector<GateResult>& gates,
                                       const Ladder* ladder, const StoredTier* tier);

/// One line per gate: verdict, name, number, detail.
[[nodiscard]] std::string gatesTable(const std::vector<GateResult>& gates);

} // namespace fovea::app
