#pragma once
#include "core/engine/Engine.h"
#include "core/policy/ParamSpec.h"
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

/// One parameter and the values it takes in a grid.
struct SweepAxis {
    std::string param; ///< option name of a ParamSpec: "window"
    std::vector<ParamValue> values;
};

/// Reads "window=16:4096:x2", "route-count=0,8,32" or "window=16:64:16". Values of a list
/// parameter are separated by ";". BadValue names what is wrong.
[[nodiscard]] Result<SweepAxis> parseSweepAxis(std::string_view text);

enum class PointKind : std::uint8_t { Policy, RandomControl, OracleControl };

/// The control of a policy at the same budget: the same policy with the signal `random` or `oracle`. Empty
/// when nothing is routed, when the signal already is that control, or when the control does not support the
/// role or the kind of budget.
[[nodiscard]] std::optional<AttentionPolicy> controlPolicy(const AttentionPolicy& policy, PointKind kind);

/// One point of the cost-versus-fidelity plane.
struct SweepPoint {
    AttentionPolicy policy;
    std::vector<std::pair<std::string, ParamValue>> values; ///< what was varied
    PointKind kind = PointKind::Policy;
    Cost cost; ///< seconds are "not measured" (runs 0) when other work was served while the point ran
    PropagatedFidelity fidelity;
    double massRecall = 0, outputError = 0; ///< isolated, means over layers; NaN when not asked
    bool done = false;                      ///< whether the numbers are valid
    bool pareto = false;
};

struct SweepPlan {
    AttentionPolicy base;
    std::vector<SweepAxis> axes;
    bool controls = true; ///< also run random and oracle for each routed point, at the same budget
    bool isolated = true; ///< also compute the isolated measures
};

/// All policies of the grid; the first axis varies slowest. An invalid combination is BadValue, before
/// anything runs.
[[nodiscard]] Result<std::vector<SweepPoint>> sweepPolicies(const SweepPlan& plan);
/// Runs them over a text whose full run is known; `pointDone` after each (index into the list). Cancelled
/// keeps what is done. Errors: those of policyFits, for any point before the first one runs; those of runs.
[[nodiscard]] Result<> runSweep(const Snapshot& withFullRun, std::vector<SweepPoint>& points, bool isolated,
                                const std::function<void(std::size_t)>& pointDone, const WorkContext& work);
/// What a point lost: its next-token KL, or of an encoder 1 - the cosine of its sentence vector.
[[nodiscard]] double lossOf(const PropagatedFidelity& fidelity);
/// Marks the points that no other policy point beats in both pairsRatio and loss. Controls are never marked.
void markPareto(std::vector<SweepPoint>& points);

} // namespace fovea
