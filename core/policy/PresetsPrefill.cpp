#include "core/policy/PresetRows.h"

namespace fovea::presets {

void appendPrefill(std::vector<PolicyPreset>& presets) {
    constexpr std::string_view kFamily = "Sparse prefill";
    const auto add = [&](std::string_view name, std::string_view help, std::string_view weights,
                         std::string_view source, AttentionPolicy policy) {
        presets.push_back({name, kFamily, help, weights, source, std::move(policy)});
    };
    AttentionPolicy aShape = windowed("A-shape", 800, 100);
    aShape.routed.phase = Phase::Prefill;
    add("a-shape", "rows of the prompt read its first 100 and their last 800 tokens", kDropIn, "2407.02490",
        aShape);

    AttentionPolicy slash = windowed("vertical-slash", 1, 0);
    slash.routed.signal = "vertical_slash";
    slash.routed.budget = 1000;
    slash.routed.diagonals = 6096;
    slash.routed.phase = Phase::Prefill;
    add("vertical-slash",
        "rows of the prompt read 1,000 columns and 6,096 diagonals, chosen by its last 64 rows", kDropIn,
        "2407.02490", slash);

    const auto blocks = [](std::string name, std::string signal, std::int64_t block) {
        AttentionPolicy policy = windowed(std::move(name), 1, 0);
        policy.routed.signal = std::move(signal);
        policy.routed.granularity = Granularity::Block;
        policy.routed.page = policy.routed.queryBlock = block;
        policy.routed.phase = Phase::Prefill;
        return policy;
    };
    AttentionPolicy sparse = blocks("block-sparse", "block_pool", 64);
    sparse.routed.budget = 6400;
    add("block-sparse", "rows of the prompt read 100 blocks of 64 by pooled queries and keys, and their own",
        kDropIn, "2407.02490", sparse);
    AttentionPolicy flex = blocks("FlexPrefill", "flexprefill", 128);
    flex.routed.budgetKind = BudgetKind::TopP;
    flex.routed.budget = 0.9;
    add("flexprefill", "blocks of 128 that cover 0.9 of the attention, the pattern chosen per head", kDropIn,
        "2502.20766", flex);
    AttentionPolicy xattention = blocks("XAttention", "antidiagonal", 128);
    xattention.always.sinks = 128;
    xattention.routed.budgetKind = BudgetKind::TopP;
    xattention.routed.budget = 0.9;
    add("xattention",
        "blocks of 128 that cover 0.9 by antidiagonal sums of stride 8, the first and their own", kDropIn,
        "2503.16428", xattention);

    AttentionPolicy moba = windowed("MoBA: 3 pages of 512", 0, 0);
    moba.local.chunk = 512;
    moba.routed.signal = "page_mean";
    moba.routed.granularity = Granularity::Page;
    moba.routed.page = 512;
    moba.routed.budget = 1024;
    add("moba", "own page of 512 up to the query and two more by their mean key", kTrained, "2502.13189",
        moba);
    AttentionPolicy dsa = windowed("DeepSeek Sparse Attention, untrained indexer", 1, 0);
    dsa.routed.signal = "indexer";
    dsa.routed.budget = 2048;
    add("dsa", "2,048 keys per query, one choice for all heads, by 8-bit dot products", kTrained,
        "2512.02556", dsa);
}

} // namespace fovea::presets
