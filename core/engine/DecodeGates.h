#pragma once
#include "core/engine/Gates.h"

namespace fovea {

/// Gate 2 on this model, text and policy: what cached decoding computes is what the whole text gets. Needs
/// the full run. Cost: a hybrid run of the text and 32 decoded tokens, twice. Errors: those of decoding,
/// Cancelled.
[[nodiscard]] Result<GateResult> checkCached(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                             const WorkContext& work);

/// Gate 4: ok when all four rungs of a timed ladder are there; no verdict for null, when none was timed.
[[nodiscard]] GateResult ladderGate(const Ladder* ladder);

} // namespace fovea
