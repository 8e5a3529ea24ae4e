#include "core/policy/ParamSpec.h"
#include "core/policy/ParamRows.h"
#include <algorithm>

namespace fovea {

std::span<const ParamSpec> paramSpecs() {
    static const std::vector<ParamSpec> specs = [] {
        std::vector<ParamSpec> table;
        params::appendLocal(table);
        params::appendAlways(table);
        params::appendRouted(table);
        params::appendFar(table);
        params::appendMix(table);
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
