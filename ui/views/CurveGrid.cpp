#include "ui/views/CurveGrid.h"

namespace fovea::ui {

namespace {

/// Of an encoder, which routes nothing: windows to both sides, or the rows of a projection. A policy without
/// such a window is swept from the encoder's default.
SweepPlan encoderPlan(const AttentionPolicy& base, std::size_t tokens) {
    SweepPlan plan;
    plan.controls = false;
    const bool projects = base.far.far == Far::Projection;
    const bool window = base.local.sides == Sides::Both && base.mix.parity == Parity::None;
    plan.base = projects || window ? base : *presetPolicy(defaultPreset(false));
    SweepAxis axis{projects ? "far-m" : "window", {}};
    for (std::int64_t value = projects ? 2 : 4; value <= 512 && static_cast<std::size_t>(value) < tokens;
         value *= 2)
        axis.values.emplace_back(value);
    if (axis.values.empty())
        axis.values.emplace_back(std::int64_t{projects ? 2 : 4});
    plan.axes = {axis};
    return plan;
}

} // namespace

AttentionPolicy gridBase(AttentionPolicy policy) {
    policy.name.clear();
    policy.local.window = 0;
    policy.routed.budget = 0;
    if (policy.far.far == Far::Projection)
        policy.far.m = 0;
    return policy;
}

SweepPlan curveGrid(const AttentionPolicy& base, std::size_t tokens, bool causal) {
    SweepPlan plan;
    plan.base = base;
    if (!causal)
        return encoderPlan(base, tokens);
    if (!plan.base.routed.on()) {
        plan.base.routed = presetPolicy("default")->routed;
        plan.base.routed.budget = 0;
    }
    plan.base.routed.budgetKind = BudgetKind::Count;
    SweepAxis windows{"window", {}};
    for (std::int64_t w = 16; w <= 1024 && static_cast<std::size_t>(w) < tokens; w *= 2)
        windows.values.emplace_back(w);
    if (windows.values.empty())
        windows.values.emplace_back(std::int64_t{4});
    SweepAxis counts{"route-count", {}};
    for (const std::int64_t c : {0, 8, 32, 128})
        if (c == 0 || static_cast<std::size_t>(c) < tokens)
            counts.values.emplace_back(c);
    plan.axes = {windows, counts};
    return plan;
}

double secondsPerPoint(const std::shared_ptr<const Snapshot>& complete, const FullRun& full) {
    if (complete && complete->propagated && complete->propagated->cost.hybrid.total.median > 0) {
        const ArmCost& arm = complete->propagated->cost.hybrid;
        return arm.total.median + arm.attention.median + arm.router.median + arm.plan.median;
    }
    return full.cost.total.median + full.cost.attention.median;
}

} // namespace fovea::ui
