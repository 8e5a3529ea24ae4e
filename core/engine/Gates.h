#pragma once
#include "core/engine/Engine.h"
#include "core/engine/Ladder.h"
#include <optional>
#include <string>
#include <vector>

namespace fovea {

/// The verdict of one fairness gate, a test that keeps comparisons of the arms honest, with its number.
struct GateResult {
    int gate = 0;
    std::string name;
    std::optional<bool> ok; ///< empty: not run, or does not apply; `detail` says why
    std::optional<double> value;
    std::optional<double> tolerance;
    std::string detail;
    bool operator==(const GateResult&) const = default;
};

/// Runs the gates on this model, text and policy. Needs the full run; the text is cut to `maxTokens`. Gate 4
/// uses `ladder` if it is given; otherwise it times eight steps on the cut text, or is not run when
/// `timeLadder` is false.
[[nodiscard]] Result<std::vector<GateResult>>
checkGates(const Snapshot& withFullRun, const AttentionPolicy& policy, std::size_t maxTokens,
           const WorkContext& work, const Ladder* ladder = nullptr, bool timeLadder = true);

} // namespace fovea
