#include "core/policy/ParamSpec.h"
#include "core/policy/ParamRows.h"
#include <algorithm>

namespace fovea {

namespace {

/// Rows that a panel shows even while they do nothing, greyed: what a beginner looks for.
constexpr std::string_view kShown[] = {"local.window",
                                       "local.dilation",
                                       "local.chunk",
                                       "local.chunk_prev",
                                       "always.sinks",
                                       "always.pinned",
                                       "always.pinned_role",
                                       "always.special",
                                       "always.punctuation",
                                       "routed.signal",
                                       "routed.role",
                                       "routed.budget_kind",
                                       "routed.count",
                                       "routed.fraction",
                                       "routed.top_p",
                                       "routed.threshold",
                                       "routed.query_count",
                                       "routed.query_fraction",
                                       "routed.choice",
                                       "routed.scope",
                                       "routed.bits",
                                       "routed.seed",
                                       "far.far",
                                       "mix.full_every",
                                       "mix.full_offset",
                                       "mix.full_layers"};

} // namespace

std::span<const ParamSpec> paramSpecs() {
    static const std::vector<ParamSpec> specs = [] {
        std::vector<ParamSpec> table;
        params::appendLocal(table);
        params::appendAlways(table);
        params::appendRouted(table);
        params::appendFar(table);
        params::appendMix(table);
        for (ParamSpec& spec : table)
            spec.quiet = std::find(std::begin(kShown), std::end(kShown), spec.key) == std::end(kShown);
        return table;
    }();
    return specs;
}

bool isBudgetKey(std::string_view key) {
    return std::find(std::begin(kBudgetKeys), std::end(kBudgetKeys), key) != std::end(kBudgetKeys) ||
           std::find(std::begin(kQueryBudgetKeys), std::end(kQueryBudgetKeys), key) !=
               std::end(kQueryBudgetKeys);
}

const ParamSpec* findParam(std::string_view wanted) {
    const auto same = [&](std::string_view other) {
        return std::equal(wanted.begin(), wanted.end(), other.begin(), other.end(),
                          [](char a, char b) { return (a == '_' ? '-' : a) == (b == '_' ? '-' : b); });
    };
    for (const ParamSpec& spec : paramSpecs())
        if (same(spec.key) || same(spec.option))
            return &spec;
    return nullptr;
}

} // namespace fovea
