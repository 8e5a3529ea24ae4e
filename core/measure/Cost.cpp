#include "core/measure/Cost.h"
#include "core/model/Direction8.h"
#include "core/model/Forward.h"
#include "core/plan/AttentionPlan.h"
#include "core/policy/SignalSpec.h"
#include <algorithm>
#include <cmath>
#include <set>

namespace fovea {

namespace {

std::uint64_t unsignedOf(std::int64_t value) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0));
}

/// Tokens whose keys and values must stay readable in one layer, by formula.
/// Routing keeps all of them; so does a single head that needs them, and a row outside the phase.
/// The decoder may keep more (StoredKeys.h): all tokens for dilation and eviction.
std::uint64_t tokensByPolicy(const AttentionPolicy& policy, int layer, std::uint64_t tokens) {
    const RoutedPart& routed = policy.routed;
    const bool evicts = routed.store == Store::Evict && routed.budgetKind == BudgetKind::Count;
    // The state of a far field does not need the tokens, but decoding keeps them.
    if (policy.fullInLayer(layer) || (routed.chooses() && !evicts) || policy.always.special ||
        policy.always.punctuation || policy.far.on() || policy.mixesHeads() || !policy.mix.layers.empty() ||
        routed.phase != Phase::All)
        return tokens;
    std::uint64_t always = unsignedOf(policy.always.sinks);
    if (evicts)
        always += static_cast<std::uint64_t>(routed.budget);
    for (const PinnedRange& range : policy.always.pinned) {
        if (range.role != Role::Keys)
            return tokens; // a token in query role reads everything before it
        always += unsignedOf(range.last - range.first + 1);
    }
    const LocalPart& local = policy.local;
    std::uint64_t reach = 1;
    if (local.window > 0)
        reach = unsignedOf(std::min(local.window, kAll) - 1) * unsignedOf(local.dilation) + 1;
    reach = std::max(reach, unsignedOf(local.chunk) * (1 + unsignedOf(local.chunkPrevious)));
    return std::min(tokens, reach + always);
}

/// Inside the layer's native window, which both arms share.
std::uint64_t tokensStored(const ModelShape& shape, const AttentionPolicy& policy, int layer,
                           std::uint64_t tokens) {
    if (!shape.causal)
        return tokens; // an encoder runs once, with all of them at hand
    const std::uint64_t stored = tokensByPolicy(policy, layer, tokens);
    const std::size_t window = nativeWindow(shape, layer).window;
    return window == 0 ? stored : std::min<std::uint64_t>(stored, window);
}

/// The number of those tokens that a cache of 8-bit directions keeps in f32: window and always keys.
std::uint64_t tokensExact(const AttentionPolicy& policy, int layer, std::uint64_t stored) {
    if (!policy.routed.storesDirections() || policy.fullInLayer(layer) || policy.mixesHeads() ||
        !policy.mix.layers.empty() || policy.always.special || policy.always.punctuation)
        return stored;
    AttentionPolicy unrouted = policy;
    unrouted.routed = {};
    unrouted.far = {};
    return tokensByPolicy(unrouted, layer, stored);
}

/// The largest B with T B - B (B - 1) / 2 <= pairs: the fixed number of keys per row that gives about the
/// same number of pairs.
double rowLength(double pairs, double tokens) {
    const double half = tokens + 0.5;
    return half - std::sqrt(std::max(0.0, half * half - 2 * pairs));
}

std::optional<double> breakEven(const Cost& cost, const ModelShape& shape, const AttentionPolicy& policy,
                                std::size_t tokens) {
    const RoutedPart& routed = policy.routed;
    if (!shape.causal || hasNativeWindows(shape) || cost.hybrid.extraPassMacs > 0 ||
        cost.hybrid.pairs >= cost.full.pairs || policy.far.on() || policy.mix.fullEvery > 0 ||
        !policy.mix.fullLayers.empty() || policy.mixesHeads() || !policy.mix.layers.empty() ||
        routed.phase != Phase::All)
        return {};
    if (routed.chooses() && (routed.budgetKind != BudgetKind::Count || routed.role != Role::Keys))
        return {};
    const double patterns = static_cast<double>(shape.layers) * static_cast<double>(shape.heads);
    const auto length = static_cast<double>(tokens);
    const double b = rowLength(static_cast<double>(cost.hybrid.pairs) / patterns, length);
    const double router =
        static_cast<double>(cost.hybrid.routerMacs) / (2.0 * shape.headDim) / patterns / length;
    const SignalSpec* signal = routed.chooses() ? findSignal(routed.signal) : nullptr;
    if (!signal || signal->sees == Sees::Fixed)
        return b + router + std::sqrt(router * router + 2 * b * router);
    const double perKey = router / ((length + 1) / 2);
    if (perKey >= 1)
        return {};
    return b / (1 - std::sqrt(perKey));
}

double ratio(double a, double b) {
    return b > 0 ? a / b : 0;
}

} // namespace

Seconds medianOf(std::vector<double> readings) {
    Seconds seconds;
    seconds.runs = static_cast<int>(readings.size());
    if (readings.empty())
        return seconds;
    std::sort(readings.begin(), readings.end());
    const std::size_t middle = readings.size() / 2;
    seconds.median =
        readings.size() % 2 == 1 ? readings[middle] : (readings[middle - 1] + readings[middle]) / 2;
    if (readings.size() > 1)
        seconds.spread = readings.back() - readings.front();
    return seconds;
}

void forgetSeconds(Cost& cost) {
    cost.hybrid.total = cost.hybrid.attention = cost.hybrid.router = cost.hybrid.plan = {};
    cost.secondsRatio.reset();
}

TierBytes tierBytes(const ModelShape& shape, const AttentionPolicy& policy, std::size_t tokens) {
    const auto headDim = static_cast<std::uint64_t>(shape.headDim);
    const auto vectors = 2 * static_cast<std::uint64_t>(shape.kvHeads); // of a token, in one layer
    TierBytes bytes;
    for (int layer = 0; layer < shape.layers; ++layer) {
        const std::uint64_t stored = tokensStored(shape, policy, layer, tokens);
        const std::uint64_t exact = tokensExact(policy, layer, stored);
        bytes.exact += vectors * headDim * sizeof(float) * exact;
        bytes.cold +=
            vectors * direction8::bytesOf(static_cast<std::size_t>(shape.headDim)) * (stored - exact);
        bytes.f32 += vectors * headDim * sizeof(float) * tokensStored(shape, {}, layer, tokens);
    }
    return bytes;
}

void countArm(ArmCost& arm, const ModelShape& shape, const AttentionPolicy& policy, std::size_t tokens) {
    const auto headDim = static_cast<std::uint64_t>(shape.headDim);
    const auto kvHeads = static_cast<std::uint64_t>(shape.kvHeads);
    const DenseCost dense = denseCostPerToken(shape);
    arm.attentionFlops = 4 * headDim * arm.pairs + 2 * arm.farMacs;
    arm.denseFlops = 2 * (dense.layers + dense.logits) * tokens;
    const TierBytes tiers = tierBytes(shape, policy, tokens);
    arm.kvBytes = tiers.exact + tiers.cold;
    arm.routerBytes = 0;
    std::set<std::int64_t> roundings; // heads with the same rounding share the rounded keys
    policy.eachParts([&](const HeadParts& parts) {
        if (parts.routed.chooses() && signalUses(parts.routed.signal, "routed.bits"))
            roundings.insert(parts.routed.bits);
    });
    std::uint64_t roundedKey = 0;
    for (const std::int64_t bits : roundings)
        roundedKey += (headDim * unsignedOf(bits) + 7) / 8 + sizeof(float);
    for (int layer = 0; layer < shape.layers; ++layer)
        if (!keptAsModel(policy, shape, layer))
            arm.routerBytes += kvHeads * roundedKey * tokens;
}

std::uint64_t extraPassMacs(const ModelShape& shape, const AttentionPolicy& policy, std::size_t tokens) {
    if (!needs(policy, Needs::Surprisal))
        return 0;
    const DenseCost dense = denseCostPerToken(shape);
    return (dense.layers + dense.logits) * tokens +
           2 * static_cast<std::uint64_t>(shape.headDim) * modelPairs(shape, tokens);
}

void finishCost(Cost& cost, const ModelShape& shape, const AttentionPolicy& policy, std::size_t tokens) {
    const auto fullPairs = static_cast<double>(cost.full.pairs);
    const auto routerMacs = static_cast<double>(cost.hybrid.routerMacs + cost.hybrid.extraPassMacs);
    cost.density = ratio(static_cast<double>(cost.hybrid.pairs), fullPairs);
    cost.pairsRatio =
        ratio(static_cast<double>(cost.hybrid.pairs) +
                  (routerMacs + static_cast<double>(cost.hybrid.farMacs)) / (2.0 * shape.headDim),
              fullPairs);
    cost.flopsRatio =
        ratio(static_cast<double>(cost.hybrid.attentionFlops + cost.hybrid.denseFlops) + 2 * routerMacs,
              static_cast<double>(cost.full.attentionFlops + cost.full.denseFlops));
    cost.kvBytesRatio =
        ratio(static_cast<double>(cost.hybrid.kvBytes), static_cast<double>(cost.full.kvBytes));
    cost.secondsRatio.reset();
    if (cost.full.total.runs > 0 && cost.hybrid.total.runs > 0 && cost.full.total.median > 0)
        cost.secondsRatio = cost.hybrid.total.median / cost.full.total.median;
    cost.breakEvenTokens = breakEven(cost, shape, policy, tokens);
}

} // namespace fovea
