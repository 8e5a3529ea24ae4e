#include "app/PolicyGrid.h"
#include "core/policy/ParamSpec.h"
#include <algorithm>
#include <cstddef>
#include <string_view>

namespace fovea::app {

namespace {

/// Whether routing is varied without the router itself.
bool variesRoutingAlone(const std::vector<SweepAxis>& axes) {
    const auto varies = [&](const auto& is) {
        return std::any_of(axes.begin(), axes.end(), [&](const SweepAxis& axis) { return is(axis.param); });
    };
    return varies([](std::string_view param) { return param.starts_with("route-"); }) &&
           !varies([](std::string_view param) { return param == "route"; });
}

} // namespace

Outcome<> checkPolicyGrid(const PolicyGridOptions& options, const PolicyOptions& single) {
    if (!options.list.empty() && single.given())
        return badUsage("--policies and options of a single policy are given; one or the other is accepted "
                        "(--over varies each of --policies)");
    return {};
}

Outcome<PolicyGrid> readPolicyGrid(const PolicyGridOptions& options, const PolicyOptions& single,
                                   const AttentionPolicy& base, std::vector<std::string>& notes) {
    FOVEA_TRY(checkPolicyGrid(options, single));
    PolicyGrid grid;
    for (const std::string& text : options.over) {
        Result<SweepAxis> axis = parseSweepAxis(text);
        if (!axis)
            return badUsage("--over " + text + ": " + axis.error().message);
        for (std::size_t i = 0; i < single.options.size(); ++i)
            if (single.options[i]->count() > 0 && paramSpecs()[i].option == axis->param)
                notes.push_back("--" + axis->param + " is given once and varied by --over; --over is taken");
        grid.axes.push_back(std::move(*axis));
    }
    for (const std::string& name : options.list) {
        Outcome<AttentionPolicy> policy = readPolicyNamed(name, "--policies");
        FOVEA_TRY(policy);
        grid.bases.push_back(std::move(*policy));
    }
    if (grid.bases.empty())
        grid.bases.push_back(base);
    if (!variesRoutingAlone(grid.axes))
        return grid;
    for (std::size_t n = 0; n < grid.bases.size(); ++n) {
        AttentionPolicy& one = grid.bases[n];
        if (one.routed.on())
            continue;
        const Result<AttentionPolicy> standard = presetPolicy(defaultPreset(true));
        FOVEA_TRY(standard);
        one.routed.signal = standard->routed.signal;
        notes.push_back((options.list.empty() ? "the base policy" : "the policy " + options.list[n]) +
                        " routes nothing, so --route " + one.routed.signal + " is taken");
    }
    return grid;
}

} // namespace fovea::app
