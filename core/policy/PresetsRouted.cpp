#include "core/policy/PresetRows.h"

namespace fovea::presets {

namespace {

/// Buckets and pages.
void appendContent(std::vector<PolicyPreset>& presets) {
    constexpr std::string_view kFamily = "Content routing";
    AttentionPolicy reformer = windowed("Reformer, causal", 1, 0);
    reformer.routed.signal = "lsh";
    reformer.routed.budget = 64;
    presets.push_back({"reformer", kFamily,
                       "the newest 64 keys of the query's hash bucket in each of 8 rounds", kTrained,
                       "2001.04451", reformer});
    AttentionPolicy routing = windowed("Routing Transformer, causal", 1, 0);
    routing.routed.signal = "centroid";
    routing.routed.budget = 128;
    routing.headPolicies.push_back({"local", windowed("", 128, 0)});
    routing.mix.heads = {alternating("local", "")};
    presets.push_back({"routing", kFamily,
                       "the newest 128 keys of the query's cluster; the first and third head a window of 128 "
                       "(published: half)",
                       kTrained, "2003.05997", routing});
    AttentionPolicy quest = windowed("Quest: 1,024 keys in pages of 16", 16, 0);
    quest.routed.signal = "page_bound";
    quest.routed.granularity = Granularity::Page;
    quest.routed.page = 16;
    quest.routed.budget = 1024;
    quest.mix.fullLayers = {0, 1};
    presets.push_back({"quest", kFamily,
                       "64 pages of 16 keys by the bound of their logits; layers 0 and 1 full", kDropIn,
                       "2406.10774", quest});
    AttentionPolicy twilight = routedBy("Twilight: mass 0.95 by head_dot at 4 bits", "head_dot", 0.95);
    twilight.routed.bits = 4;
    twilight.routed.budgetKind = BudgetKind::TopP;
    presets.push_back(
        {"twilight", kFamily,
         "as many keys as reach a mass of 0.95 by the estimate of 4-bit keys; window 128, 4 sinks", kDropIn,
         "2502.02770", twilight});
}

AttentionPolicy evicting(std::string name, std::string signal, std::int64_t window, std::int64_t sinks,
                         double budget) {
    AttentionPolicy policy = windowed(std::move(name), window, sinks);
    policy.routed.signal = std::move(signal);
    policy.routed.budget = budget;
    policy.routed.store = Store::Evict;
    return policy;
}

/// Caches of a fixed size.
void appendEviction(std::vector<PolicyPreset>& presets) {
    constexpr std::string_view kFamily = "Eviction";
    presets.push_back(
        {"h2o", kFamily,
         "window 204 and the 204 keys of most accumulated attention: a tenth of 2,048 tokens each", kDropIn,
         "2306.14048", evicting("H2O", "accumulated", 204, 0, 204)});
    presets.push_back({"tova", kFamily,
                       "256 keys: the last row's attention, mean over heads, decides who goes", kDropIn,
                       "2401.06104", evicting("TOVA", "last_row", 1, 0, 255)});
    presets.push_back({"vatp", kFamily,
                       "as h2o, accumulated attention times the value's length; the first 20 tokens stay",
                       kDropIn, "2406.12335", evicting("VATP", "value_attention", 204, 20, 184)});
    AttentionPolicy snapkv = windowed("SnapKV: 1,024 keys of the prompt", 64, 0);
    snapkv.routed.signal = "recent_window";
    snapkv.routed.budget = 1024;
    snapkv.routed.phase = Phase::Decode;
    presets.push_back(
        {"snapkv", kFamily,
         "rows behind the prompt read 1,024 of its keys, chosen by its last 64 rows, and all since", kDropIn,
         "2404.14469", snapkv});
}

/// Queries are chosen. Published routers are trained; a signal stands in for them.
void appendQueryRouting(std::vector<PolicyPreset>& presets) {
    constexpr std::string_view kFamily = "Query routing";
    AttentionPolicy colt5 = windowed("CoLT5, causal", 128, 0);
    colt5.routed.signal = "hidden_norm";
    colt5.routed.role = Role::Both;
    colt5.routed.budgetKind = colt5.routed.queryBudgetKind = BudgetKind::Fraction;
    colt5.routed.budget = 0.125;
    colt5.routed.queryBudget = 0.0625;
    colt5.routed.choice = Choice::Sequence;
    colt5.routed.reach = Reach::Routed;
    presets.push_back(
        {"colt5", kFamily,
         "window 128; 1 in 16 queries also reads 1 in 8 keys, both by hidden_norm in place of the "
         "trained router",
         kTrained, "2303.09752", colt5});
    AttentionPolicy mod = windowed("Mixture of Depths, attention only", 1, 0);
    mod.routed.signal = "hidden_norm";
    mod.routed.role = Role::Queries;
    mod.routed.queryBudgetKind = BudgetKind::Fraction;
    mod.routed.queryBudget = 0.125;
    mod.routed.unrouted = Unrouted::Skip;
    presets.push_back(
        {"mod", kFamily,
         "1 token in 8 takes part in a layer's attention, by hidden_norm in place of the trained "
         "router; the others skip it",
         kTrained, "2404.02258", mod});
    AttentionPolicy informer = windowed("Informer, causal", 0, 0);
    informer.routed.signal = "query_sparsity";
    informer.routed.role = Role::Queries;
    informer.routed.queryBudget = 40;
    informer.routed.unrouted = Unrouted::Mean;
    presets.push_back(
        {"informer", kFamily,
         "40 queries (5 ln 2,048) with peaked rows read everything, the others get the mean value", kTrained,
         "2012.07436", informer});
}

} // namespace

void appendRouted(std::vector<PolicyPreset>& presets) {
    constexpr std::string_view kFamily = "Routed tokens";
    const auto add = [&](std::string_view name, std::string_view help, std::string_view weights,
                         std::string_view source, AttentionPolicy policy) {
        presets.push_back({name, kFamily, help, weights, source, std::move(policy)});
    };
    add("head-dot", "as default, chosen per head by head_dot", kDropIn, "",
        routedBy("window 128 + 4 sinks + 32 by head_dot", "head_dot", 32));
    add("key-norm", "as default, chosen by key_norm", kDropIn, "2406.11430",
        routedBy("window 128 + 4 sinks + 32 by key_norm", "key_norm", 32));
    AttentionPolicy peaks = windowed("query-peak", 128, 4);
    peaks.routed.signal = "query_peak";
    peaks.routed.role = Role::Queries;
    peaks.routed.queryBudget = 32;
    add("query-peak", "window 128, 4 sinks; 32 tokens with a peaked row read everything", kDropIn, "", peaks);
    AttentionPolicy mass = routedBy("window 128 + 4 sinks + mass 0.95 by group_dot", "group_dot", 0.95);
    mass.routed.budgetKind = BudgetKind::TopP;
    add("top-p", "window 128, 4 sinks and as many keys as reach a mass of 0.95 by group_dot's estimate",
        kDropIn, "2502.02770", mass);
    AttentionPolicy byEntropy = routedBy("head_dot, budgets by entropy", "head_dot", 32);
    byEntropy.mix.dynamic = Dynamic::Entropy;
    add("dynamic-entropy", "as head-dot; heads with flat rows get more of the layer's budget", kDropIn, "",
        byEntropy);
    AttentionPolicy byDeficit = routedBy("head_dot, budgets by deficit", "head_dot", 32);
    byDeficit.mix.dynamic = Dynamic::Deficit;
    add("dynamic-deficit", "as head-dot; heads whose window misses mass get more of the layer's budget",
        kDropIn, "", byDeficit);
    appendContent(presets);
    appendEviction(presets);
    appendQueryRouting(presets);
}

void appendControls(std::vector<PolicyPreset>& presets) {
    constexpr std::string_view kFamily = "Controls";
    presets.push_back({"random", kFamily, "as default, chosen at random: the lower control", kDropIn, "",
                       routedBy("window 128 + 4 sinks + 32 random", "random", 32)});
    presets.push_back({"oracle", kFamily,
                       "as default, chosen by the true attention probability: the upper control", kDropIn, "",
                       routedBy("window 128 + 4 sinks + 32 by oracle", "oracle", 32)});
}

} // namespace fovea::presets
