#include "core/policy/SignalSpec.h"
#include "core/route/RouteJob.h"
#include "core/route/Router.h"
#include <algorithm>

namespace fovea {

namespace {

std::uint64_t choiceBytesOf(const RoutedPart& routed, const ModelShape& shape, std::size_t tokens) {
    if (!routed.on())
        return 0;
    const double most = (static_cast<double>(tokens) + 1) / 2;
    const auto page = static_cast<double>(routed.page);
    double keys = 0;
    if (!routed.signal.empty() && routed.ranksKeys()) {
        keys = routed.budgetKind == BudgetKind::Count      ? routed.budget
               : routed.budgetKind == BudgetKind::Fraction ? routed.budget * most
                                                           : most;
        if (routed.granularity != Granularity::Token)
            keys += page + static_cast<double>(routed.queryBlock);
        const SignalSpec& signal = *findSignal(routed.signal);
        if (signal.uses("routed.rounds"))
            keys *= static_cast<double>(routed.rounds);
        if (signal.uses("routed.diagonals"))
            keys += static_cast<double>(routed.diagonals);
        else if (signal.offers == Offers::Prompt)
            keys = most;
    }
    keys += static_cast<double>(routed.randomBlocks) * page;
    const auto units = static_cast<double>(unitsOf(unitKindOf(routed), shape));
    return static_cast<std::uint64_t>(sizeof(ChosenRun) * units * std::min(keys, most) *
                                      static_cast<double>(tokens));
}

} // namespace

std::uint64_t choiceBytes(const AttentionPolicy& policy, const ModelShape& shape, std::size_t tokens) {
    // Policies whose heads choose per group or per layer have units of their own, so their bytes add up.
    std::uint64_t sum = 0;
    policy.eachParts([&](const HeadParts& parts) { sum += choiceBytesOf(parts.routed, shape, tokens); });
    return sum;
}

} // namespace fovea
