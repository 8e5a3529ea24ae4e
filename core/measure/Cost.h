#pragma once
#include "core/model/ModelShape.h"
#include "core/policy/AttentionPolicy.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

/// Seconds of one stage: median and spread (max - min) of `runs`; spread empty for one run.
struct Seconds {
    double median = 0;
    std::optional<double> spread;
    int runs = 0;
    bool operator==(const Seconds&) const = default;
};

/// Median and spread of readings, seconds.
[[nodiscard]] Seconds medianOf(std::vector<double> readings);

/// One arm's cost over the whole text. Counts follow from formulas, seconds from a clock.
struct ArmCost {
    std::uint64_t pairs = 0;          ///< planned (query, key) pairs over layers and heads, and farEntries
    std::uint64_t farEntries = 0;     ///< summaries read, pairs of reason far
    std::uint64_t farMacs = 0;        ///< multiply-adds of linear and recurrent states
    std::uint64_t farStateBytes = 0;  ///< summaries and states beside the cache, once the text is read
    std::uint64_t pairsComputed = 0;  ///< lanes x keys of the tiles touched
    std::uint64_t routerMacs = 0;     ///< the router's multiply-adds
    std::uint64_t extraPassMacs = 0;  ///< a full pass that a signal needs (surprisal), probe rows
    std::uint64_t attentionFlops = 0; ///< 4 D per pair, 2 per multiply-add of a state
    std::uint64_t denseFlops = 0;     ///< everything but attention, logits included
    std::uint64_t kvBytes = 0;        ///< keys and values that stay readable, f32
    std::uint64_t routerBytes = 0;    ///< rounded keys beside the cache
    Seconds total;                    ///< whole run, logits included
    Seconds attention;                ///< attention kernels
    Seconds router;
    Seconds plan;
};

/// Hybrid beside full. Ratios name what they include: pairsRatio and flopsRatio hold the router, density does
/// not.
struct Cost {
    ArmCost full, hybrid;
    double density = 0;    ///< hybrid pairs / full causal pairs
    double pairsRatio = 0; ///< (pairs + router and state MACs / 2D) / full pairs
    double flopsRatio = 0; ///< attention, router and dense layers
    double kvBytesRatio = 0;
    std::optional<double> secondsRatio;
    std::optional<double> breakEvenTokens; ///< counted T0; empty: never or not defined
};

/// Marks the hybrid arm's seconds as not measured (`runs` 0) and empties their ratio: for a run whose clock
/// cannot be trusted.
void forgetSeconds(Cost& cost);

/// Keys and values by formula: tokens in f32 and tokens as 8-bit directions (D + 4 bytes a vector); all in
/// f32. Where heads differ, or special or separator tokens are read, all tokens count as exact: no head's
/// share is told apart.
struct TierBytes {
    std::uint64_t exact = 0, cold = 0, f32 = 0;
};
[[nodiscard]] TierBytes tierBytes(const ModelShape& shape, const AttentionPolicy& policy, std::size_t tokens);

/// What needs no run: flops, readable keys and values, rounded keys beside the cache. `arm.pairs` must be
/// set.
void countArm(ArmCost& arm, const ModelShape& shape, const AttentionPolicy& policy, std::size_t tokens);
/// Multiply-adds of the pass that a signal needs before it can rank (surprisal: a whole full run), else 0.
[[nodiscard]] std::uint64_t extraPassMacs(const ModelShape& shape, const AttentionPolicy& policy,
                                          std::size_t tokens);

/// Fills the ratios from the arms. Break-even: with rows of at most B keys (B from the counted pairs) and a
/// router of c pair equivalents per row, T0 = B + c + sqrt(c^2 + 2 B c); with one that grows as k per earlier
/// key, T0 = B / (1 - sqrt k). Empty for budgets that grow with the text, for signals that need a pass of
/// their own, and when it is never reached.
void finishCost(Cost& cost, const ModelShape& shape, const AttentionPolicy& policy, std::size_t tokens);

} // namespace fovea
