#pragma once
#include "core/policy/ParamSpec.h"
#include "core/tune/Calibration.h"
#include <optional>
#include <string>
#include <vector>

namespace fovea {

/// One parameter moved one step from a policy, judged and predicted.
struct SensitivityStep {
    ParamValue value;
    AttentionPolicy policy;
    double pairsRatio = 0; ///< estimated
    Prediction predicted;
    /// The step changes no output of any sampled query, in any layer.
    bool sameOutputs = false;
};

/// What one parameter does around a policy on one text.
struct Sensitivity {
    std::string param;                       ///< option name
    ParamValue at;                           ///< under the policy
    std::optional<SensitivityStep> down, up; ///< empty: there is no legal step on that side
    /// Neither step changes an output or a pair: on this text the parameter does nothing.
    [[nodiscard]] bool doesNothing() const;
    /// The greatest change of the predicted KL by either step, as |ln| of the ratio; 0: none.
    [[nodiscard]] double weight() const;
    double klAt = 0, pairsAt = 0; ///< predicted and estimated, of the policy itself
};

/// Steps every parameter that has an effect under `policy` down and up: whole numbers that are logarithmic by
/// half and twice, other whole numbers by 1, shares (reals from 0 to 1) by 0.1, other reals (logits, scores)
/// by half and twice, from 0 by 1, flags and names to the next one. Whole numbers beyond the text count as
/// the text's length. The greatest effects come first, parameters that do nothing last. Cost: two judgements
/// for each parameter. Errors: those of judgePolicies.
[[nodiscard]] Result<std::vector<Sensitivity>> sensitivity(const Snapshot& withFullRun,
                                                           const AttentionPolicy& policy,
                                                           const Calibration& calibration,
                                                           const RowSample& sample, const WorkContext& work);

} // namespace fovea
