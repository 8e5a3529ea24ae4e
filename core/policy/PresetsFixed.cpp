#include "core/policy/PresetRows.h"

namespace fovea::presets {

void appendStart(std::vector<PolicyPreset>& presets) {
    constexpr std::string_view kFamily = "Start here";
    AttentionPolicy full;
    full.name = "full";
    presets.push_back({"default", kFamily,
                       "window 128, 4 sinks and 32 keys per query routed by group_dot at 8 bits", kDropIn, "",
                       routedBy("window 128 + 4 sinks + 32 routed", "group_dot", 32)});
    presets.push_back({"full", kFamily,
                       "every query reads every key up to itself; in an encoder every key of the text",
                       kDropIn, "1706.03762", full});
    AttentionPolicy encoder = windowed("window 64 to both sides + the first token", 64, 0);
    encoder.local.sides = Sides::Both;
    encoder.always.pinned = {{0, 0, Role::Both}};
    presets.push_back(
        {"encoder", kFamily,
         "the default of an encoder: 32 keys to either side; the first token, [CLS], reads and is "
         "read by all",
         kDropIn, "2004.05150", encoder});
}

void appendFixed(std::vector<PolicyPreset>& presets) {
    constexpr std::string_view kFamily = "Fixed patterns";
    const auto add = [&](std::string_view name, std::string_view help, std::string_view weights,
                         std::string_view source, AttentionPolicy policy) {
        presets.push_back({name, kFamily, help, weights, source, std::move(policy)});
    };
    add("window", "the last 128 keys only; loses the first tokens, on which ordinary weights lean", kTrained,
        "2004.05150", windowed("window 128", 128, 0));
    add("window-sinks", "the last 128 keys and the first 4", kDropIn, "2309.17453",
        windowed("window 128 + 4 sinks", 128, 4));
    AttentionPolicy streaming = windowed("StreamingLLM: window 128 + 4 sinks, cache positions", 128, 4);
    streaming.mix.positions = Positions::Cache;
    add("streaming", "the last 128 keys and the first 4, at their places in the cache instead of the text",
        kDropIn, "2309.17453", streaming);
    AttentionPolicy dilated = windowed("dilated", 128, 0);
    dilated.local.dilation = 2;
    add("dilated", "128 keys, every second one (reach 255)", kTrained, "2004.05150", dilated);
    AttentionPolicy dilatedHeads = windowed("dilated heads", 128, 0);
    {
        AttentionPolicy wide = windowed("", 128, 0);
        wide.local.dilation = 4;
        dilatedHeads.headPolicies.push_back({"dilated", wide});
        dilatedHeads.mix.heads = {{"dilated", "dilated"}};
    }
    add("dilated-heads", "window 128; in the first two heads of each layer every fourth key (reach 509)",
        kTrained, "2004.05150", dilatedHeads);
    AttentionPolicy chunked = windowed("chunked", 0, 0);
    chunked.local.chunk = 128;
    add("chunked", "own chunk of 128 tokens up to the query", kTrained, "2009.06732", chunked);
    AttentionPolicy chunkedPrevious = windowed("chunked, with the one before", 0, 0);
    chunkedPrevious.local.chunk = 128;
    chunkedPrevious.local.chunkPrevious = 1;
    add("chunked-prev", "own chunk of 128 tokens and the whole one before", kTrained, "2009.06732",
        chunkedPrevious);
    AttentionPolicy longformer = windowed("Longformer, causal-global", 512, 0);
    longformer.always.pinned = {{0, 0, Role::Both}};
    add("longformer",
        "window 512; the first token, and all you pin, reads all before it and is read by all after",
        kTrained, "2004.05150", longformer);
    AttentionPolicy symmetric = windowed("Longformer, symmetric", 512, 0);
    symmetric.local.sides = Sides::Both;
    symmetric.always.pinned = {{0, 0, Role::Both}};
    add("longformer-sym",
        "256 keys to either side; the first token, and all you pin, reads and is read by all", kTrained,
        "2004.05150", symmetric);
    add("sepllm", "4 sinks, window 224, the latest 32 separators", kDropIn, "2412.12094", [] {
        AttentionPolicy policy = windowed("SepLLM", 224, 4);
        policy.always.punctuation = true;
        policy.always.punctuationCap = 32;
        return policy;
    }());
    add("separators", "window 224, 4 sinks and all punctuation tokens, without sepllm's cap of 32", kDropIn,
        "2412.12094", [] {
            AttentionPolicy policy = windowed("separators", 224, 4);
            policy.always.punctuation = true;
            return policy;
        }());
    AttentionPolicy duo = windowed("retrieval heads full, others 64 sinks + window 256", 256, 64);
    duo.mix.fullHeads = 0.5;
    add("duo", "half of the heads, those that copy most, read everything; the others 64 sinks and window 256",
        kAdapted, "2410.10819", duo);
    AttentionPolicy bigbird = windowed("BigBird ITC, causal", 192, 64);
    bigbird.routed.page = bigbird.routed.queryBlock = 64;
    bigbird.routed.randomBlocks = 3;
    add("bigbird-itc",
        "blocks of 64: window of three, the first one, three earlier ones at random; causal form", kTrained,
        "2007.14062", bigbird);
    bigbird.name = "BigBird ITC, parity";
    bigbird.local.sides = Sides::Both;
    bigbird.mix.parity = Parity::BigBird;
    add("bigbird-parity",
        "blocks of 64 as the reference code reads them: window of three, first and last, three at random, "
        "some twice",
        kTrained, "2007.14062", bigbird);
    add("bigbird-etc",
        "window of three blocks of 84; the first 256 tokens stand in for the extra global ones", kTrained,
        "2007.14062", windowed("BigBird ETC, causal", 252, 256));
    AttentionPolicy strided = windowed("Sparse Transformer, strided", 64, 0);
    {
        // Every 64th key before the query, back to the first: 4,096 of them reach 262,000 tokens.
        AttentionPolicy far = windowed("", 4096, 0);
        far.local.dilation = 64;
        strided.headPolicies.push_back({"strided", far});
        strided.mix.heads = {alternating("", "strided")};
    }
    add("strided",
        "the last 64 keys; the second and fourth head every 64th key back to the start (published: 128, "
        "heads merged)",
        kTrained, "1904.10509", strided);
    AttentionPolicy gemma3 = windowed("5 windowed : 1 full (Gemma 3)", 512, 0);
    gemma3.mix.fullEvery = 6;
    add("gemma3", "five layers of window 512 to one full layer", kDropIn, "2503.19786", gemma3);
    AttentionPolicy gemma2 = windowed("1 windowed : 1 full (Gemma 2)", 4096, 0);
    gemma2.mix.fullEvery = 2;
    add("gemma2", "layers of window 4,096 and full layers by turns", kDropIn, "2408.00118", gemma2);
    AttentionPolicy alternate = windowed("1 windowed : 1 full, window 128", 128, 0);
    alternate.mix.fullEvery = 2;
    add("interleave-1-1", "layers of window 128 and full layers by turns", kDropIn, "2408.00118", alternate);
}

} // namespace fovea::presets
