#include "core/policy/PresetRows.h"

namespace fovea::presets {

namespace {

/// Window W and a linear state of the far keys under one normaliser.
AttentionPolicy linear(std::string name, std::int64_t window, FeatureMap map) {
    AttentionPolicy policy = windowed(std::move(name), window, 0);
    policy.far.far = Far::Linear;
    policy.far.map = map;
    policy.combine.combine = Combine::Shared;
    return policy;
}

/// The seed block: window 64 and its recurrence, gated.
AttentionPolicy seedBlock(std::string name, double gate) {
    AttentionPolicy policy = windowed(std::move(name), 64, 0);
    policy.far.far = Far::Recurrent;
    policy.combine.combine = Combine::Gated;
    policy.combine.gate = gate;
    return policy;
}

} // namespace

void appendFar(std::vector<PolicyPreset>& presets) {
    constexpr std::string_view kFamily = "Far fields";
    const auto add = [&](std::string_view name, std::string_view help, std::string_view weights,
                         std::string_view source, AttentionPolicy policy) {
        presets.push_back({name, kFamily, help, weights, source, std::move(policy)});
    };
    AttentionPolicy summaries = windowed("window 128 + 4 sinks + summaries of 16", 128, 4);
    summaries.far.far = Far::Summaries;
    add("summaries", "window 128, 4 sinks, and means of 16 tokens each for all the rest", kDropIn,
        "2502.11089", summaries);
    add("linear", "no exact key: a linear state over features elu+1", kTrained, "2006.16236",
        linear("linear attention, elu+1", 0, FeatureMap::Elu1));
    add("performer", "no exact key: a linear state over 256 positive orthogonal random features", kTrained,
        "2009.14794", linear("Performer", 0, FeatureMap::Performer));
    add("trig", "as performer with trigonometric features: a negative control, its weights may be negative",
        kTrained, "2009.14794", linear("trigonometric random features", 0, FeatureMap::Trig));
    add("based", "window 64 and a linear state of 2nd-order Taylor features, one normaliser", kTrained,
        "2402.18668", linear("Based: window 64 + Taylor features", 64, FeatureMap::Taylor2));
    AttentionPolicy lolcats = linear("LoLCATs: window 64 + softmax features", 64, FeatureMap::Hedgehog);
    lolcats.combine.windowFactor = 0.1;
    add("lolcats", "window 64 at factor 0.1 and a linear state of softmax features, untrained", kAdapted,
        "2410.10254", lolcats);
    add("seed", "window 64 and an untrained gated recurrence, 0.731 to 0.269", kTrained, "",
        seedBlock("seed: window 64 + recurrence", 0.731));
    add("seed-local", "the seed block's window alone", kTrained, "", seedBlock("seed, local only", 1));
    add("seed-recurrent", "the seed block's recurrence alone: read without a query", kTrained, "",
        seedBlock("seed, recurrent only", 0));
    AttentionPolicy linformer = windowed("Linformer, means of 4", 0, 0);
    linformer.far.far = Far::Projection;
    linformer.far.m = 4;
    add("linformer",
        "128 projections of 512 keys and values in their place (k x n matrices E and F, for one fixed n)",
        kTrained, "2006.04768", linformer);
    AttentionPolicy cached = seedBlock("seed cache: window 64 + recurrence + 2 stored pages of 16", 0.731);
    cached.routed.signal = "stored_dot";
    cached.routed.granularity = Granularity::Page;
    cached.routed.page = 16;
    cached.routed.budget = 32;
    cached.routed.store = Store::Direction8;
    add("seed-cache", "the seed block, and the 2 best pages of 16 from a cache of 8-bit directions", kTrained,
        "", cached);
    cached.name = "seed cache, posted rule: the newest 2 pages above 0.02";
    cached.routed.budgetKind = BudgetKind::Threshold;
    cached.routed.budget = 0.02;
    cached.routed.newest = 2;
    add("seed-cache-posted",
        "as seed-cache by the posted rule: the newest 2 pages with a stored logit of 0.02 or more", kTrained,
        "", cached);
    AttentionPolicy v4 = windowed("window 128 + top 512 summaries of 4", 128, 0);
    v4.far.far = Far::Summaries;
    v4.far.m = 4;
    v4.far.top = 512;
    v4.always.sinkLogit = 0;
    add("v4", "window 128, the 512 strongest means of 4 tokens, a sink logit of 0", kTrained, "2606.19348",
        v4);
    AttentionPolicy coarse = windowed("window 128 + summaries of 128", 128, 0);
    coarse.far.far = Far::Summaries;
    coarse.far.m = 128;
    coarse.always.sinkLogit = 0;
    add("v4-128", "window 128, means of 128 tokens for all the rest, a sink logit of 0", kTrained,
        "2606.19348", coarse);
    AttentionPolicy landmark = windowed("window 128 + 5 pages of 50 + summaries", 128, 0);
    landmark.routed.signal = "page_mean";
    landmark.routed.granularity = Granularity::Page;
    landmark.routed.page = 50;
    landmark.routed.budget = 250;
    landmark.far.far = Far::Summaries;
    landmark.far.m = 50;
    add("landmark", "window 128, the 5 pages of 50 whose mean key fits best, and the rest as means", kTrained,
        "2305.16300", landmark);
    AttentionPolicy nsa = windowed("window 512 + 16 pages of 64 + summaries of 16", 512, 64);
    nsa.routed.signal = "page_mean";
    nsa.routed.granularity = Granularity::Page;
    nsa.routed.page = 64;
    nsa.routed.budget = 13 * 64; // 1 first page and 2 local ones are read anyway
    nsa.far.far = Far::Summaries;
    add("nsa",
        "window 512, first page, 13 pages of 64 by their mean, and means of 16; one softmax, not gated",
        kTrained, "2502.11089", nsa);
}

} // namespace fovea::presets
