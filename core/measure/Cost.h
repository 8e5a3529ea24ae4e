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
    /// One reading, which has no spread.
    static Seconds once(double seconds) { return {seconds, std::nullopt, 1}; }
};

/// Median and spread of several readings, in seconds.
[[nodiscard]] Seconds medianOf(std::vector<double> readings);

/// One arm's cost over the whole text. Counts follow from formulas, seconds from a clock.
struct ArmCost {
    std::uint64_t pairs = 0;          ///< planned (query, key) pairs over layers and heads, plus farEntries
    std::uint64_t farEntries = 0;     ///< summaries read; they count as pairs with reason far
    std::uint64_t farMacs = 0;        ///< multiply-adds of linear and recurrent states
    std::uint64_t farStateBytes = 0;  ///< summaries and states besides the cache, after the whole text
    std::uint64_t pairsComputed = 0;  ///< lanes x keys of the tiles that were computed
    std::uint64_t routerMacs = 0;     ///< multiply-adds of the router
    std::uint64_t extraPassMacs = 0;  ///< of a full pass for the signal (surprisal), of probe rows
    std::uint64_t attentionFlops = 0; ///< 4 D per pair and 2 per multiply-add of a state
    std::uint64_t denseFlops = 0;     ///< everything except attention, including logits
    std::uint64_t kvBytes = 0;        ///< bytes of keys and values that stay readable, in f32
    std::uint64_t routerBytes = 0;    ///< bytes of rounded keys besides the cache
    Seconds total;                    ///< the whole run, including logits
    Seconds attention;                ///< attention kernels
    Seconds router;
    Seconds plan;
};

/// The cost of the hybrid run relative to the full run. pairsRatio and flopsRatio include the router, density
/// does not.
struct Cost {
    ArmCost full, hybrid;
    double density = 0;    ///< hybrid pairs / pairs of the full arm, which lie inside the native windows
    double pairsRatio = 0; ///< (pairs + router and state MACs / 2D) / full pairs
    double flopsRatio = 0; ///< of attention, router and dense layers together
    double kvBytesRatio = 0;
    std::optional<double> secondsRatio;
    std::optional<double> breakEvenTokens; ///< counted: the length T0 from which hybrid is cheaper; empty:
                                           ///< never, or not defined
};

/// Marks the hybrid arm's seconds as not measured (`runs` 0) and empties their ratio: for a run whose clock
/// cannot be trusted.
void forgetSeconds(Cost& cost);

/// Bytes of keys and values by formula: of the tokens stored in f32, of those stored as 8-bit directions (D +
/// 4 bytes per vector), and of all tokens in
/// f32, as far as native windows reach. If heads differ, or special or separator tokens are read,
/// all tokens count as f32, because the share of each head is not counted separately.
struct TierBytes {
    std::uint64_t exact = 0, cold = 0, f32 = 0;
};
[[nodiscard]] TierBytes tierBytes(const ModelShape& shape, const AttentionPolicy& policy, std::size_t tokens);

/// Fills the counts that need no run: flops, readable keys and values, rounded keys besides the cache.
/// `arm.pairs` must be set.
void countArm(ArmCost& arm, const ModelShape& shape, const AttentionPolicy& policy, std::size_t tokens);
/// Multiply-adds of the pass that a signal needs before it can rank (surprisal: a full run); otherwise 0.
[[nodiscard]] std::uint64_t extraPassMacs(const ModelShape& shape, const AttentionPolicy& policy,
                                          std::size_t tokens);

/// Fills the ratios from the arms. The break-even length T0 follows from B, the largest number of keys per
/// row (from the counted pairs), and the router's cost: T0 = B + c + sqrt(c^2 + 2 B c) if the router costs
/// the equivalent of c pairs per row; T0 = B / (1 - sqrt k) if it costs k pairs per earlier key. T0 is empty
/// for models with native windows, for budgets that grow with the text, for signals that need a pass of their
/// own, and when it is never reached.
void finishCost(Cost& cost, const ModelShape& shape, const AttentionPolicy& policy, std::size_t tokens);

} // namespace fovea
