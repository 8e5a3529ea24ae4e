#pragma once
#include "core/base/Cancel.h"
#include "core/engine/Snapshot.h"
#include <string>

namespace fovea {

/// What a propagated run of a policy over a text gave. Never predicted: predictions are another type.
struct Measurement {
    Cost cost; ///< seconds are "not measured" (runs 0) when other work was served, or when it was read back
    double kl = 0;
    double klP95 = 0;
    double klWorst = 0;
    std::uint32_t klWorstPosition = 0;
    double top1 = 0;
    double deltaNll = 0;
};
[[nodiscard]] Measurement measurementOf(const Cost& cost, const PropagatedFidelity& fidelity);

/// Runs the policy over a text whose full run is known. Errors: those of policyFits and runPropagated.
/// OutOfMemory is returned, not thrown.
[[nodiscard]] Result<Measurement> measurePolicy(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                                const WorkContext& work);

/// What a measurement depends on besides the policy: build, model, tokens, arithmetic. Two measurements under
/// one key and one policy hash have the same numbers, clock readings aside.
[[nodiscard]] std::string measurementKey(const Snapshot& snapshot);

/// The first `tokens` tokens of a snapshot as a text of their own, with a full run. A causal model gives them
/// the same activations in the longer text. Errors: those of runFull. Throws std::bad_alloc.
[[nodiscard]] Result<std::shared_ptr<const Snapshot>> prefixOf(const Snapshot& snapshot, std::size_t tokens,
                                                               const WorkContext& work);

} // namespace fovea
