#pragma once
#include "core/engine/Gates.h"

namespace fovea {

/// Gate 2: cached decoding gives the same results as a run over the whole text. Needs the full run. Cost: a
/// hybrid run of the text and 32 decoded tokens, twice. Errors: those of decoding, Cancelled.
[[nodiscard]] Result<GateResult> checkCached(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                             const WorkContext& work);

/// Gate 4: ok when all four measurements of the ladder exist. Null: no ladder was timed, no verdict.
[[nodiscard]] GateResult ladderGate(const Ladder* ladder);

} // namespace fovea
