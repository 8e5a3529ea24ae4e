#pragma once
#include "core/engine/Gates.h"
#include "core/engine/Snapshot.h"
#include "core/engine/StoredTier.h"
#include <string>
#include <vector>

namespace fovea::app {

/// The table that `analyze` prints: full beside hybrid, ratios, fidelity and gates, with their labels.
[[nodiscard]] std::string analyzeTable(const Snapshot& snapshot, const std::vector<GateResult>& gates,
                                       const Ladder* ladder, const StoredTier* tier);

/// One line per gate: verdict, name, number, detail.
[[nodiscard]] std::string gatesTable(const std::vector<GateResult>& gates);

} // namespace fovea::app
