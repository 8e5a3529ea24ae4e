#include "core/files/Sha256.h"
#include "core/policy/ParamSpec.h"
#include "core/policy/PolicyJson.h"
#include <algorithm>

namespace fovea {

namespace {

/// The same policy with all fields that have no effect set to their defaults.
AttentionPolicy canonicalParts(AttentionPolicy p) {
    if (p.readsAll())
        return AttentionPolicy().withParts({});
    const AttentionPolicy plain;
    if (p.local.window <= 1)
        p.local.dilation = 1;
    if (p.routed.ranksQueries() && !p.routed.signal.empty()) {
        const double budget = p.routed.effectiveQueryBudget();
        p.routed.queryBudgetKind = p.routed.effectiveQueryKind();
        p.routed.queryBudget = budget;
    } else {
        p.routed.queryBudgetKind = plain.routed.queryBudgetKind;
        p.routed.queryBudget = plain.routed.queryBudget;
    }
    if (!p.routed.signal.empty() && !p.routed.ranksKeys()) {
        p.routed.budgetKind = plain.routed.budgetKind;
        p.routed.budget = plain.routed.budget;
        p.routed.choice = plain.routed.choice;
    }
    if (p.routed.signal.empty()) {
        const RoutedPart given = p.routed;
        p.routed = {};
        p.routed.phase = given.phase;
        p.routed.randomBlocks = given.randomBlocks;
        p.routed.page = given.page;
        p.routed.queryBlock = given.queryBlock;
        p.routed.seed = given.seed;
        p.routed.store = given.store;
    }
    for (const ParamSpec& spec : paramSpecs())
        if (spec.section != "Mix" && spec.active != nullptr && !spec.active(p) && !isBudgetKey(spec.key) &&
            spec.key != "routed.role" && spec.key != "routed.budget_kind" && spec.key != "always.pinned_role")
            spec.set(p, spec.get(plain));
    return p;
}

AttentionPolicy canonical(const AttentionPolicy& given) {
    AttentionPolicy p = given;
    if (p.headPolicies.empty() && p.readsAll())
        return {};
    static_cast<HeadParts&>(p) = canonicalParts(given.withParts(given));
    for (NamedHeadParts& entry : p.headPolicies)
        entry.parts = canonicalParts(given.withParts(entry.parts));
    if (p.mix.fullEvery == 0 || p.mix.fullOffset == p.mix.fullEvery - 1)
        p.mix.fullOffset = -1;
    if (p.mix.dynamic == Dynamic::None)
        p.mix.probeEvery = MixPart().probeEvery;
    std::sort(p.mix.fullLayers.begin(), p.mix.fullLayers.end());
    p.mix.fullLayers.erase(std::unique(p.mix.fullLayers.begin(), p.mix.fullLayers.end()),
                           p.mix.fullLayers.end());
    return p;
}

} // namespace

std::string policyHash(const AttentionPolicy& policy) {
    return sha256Hex(compactJson(canonical(policy)));
}

} // namespace fovea
