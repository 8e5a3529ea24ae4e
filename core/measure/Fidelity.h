#pragma once
#include "core/base/Matrix.h"
#include "core/kernels/Attention.h"
#include "core/measure/MapTile.h"
#include "core/measure/SentenceFidelity.h"
#include "core/model/Model.h"
#include "core/plan/AttentionPlan.h"
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fovea {

/// How far hybrid attention is from full attention in one layer, in the isolated regime: the layer gets the
/// activations of the full run.
struct LayerFidelity {
    int layer = 0;
    std::uint32_t nativeWindow = 0; ///< of the layer, tokens; 0: it is global
    double massRecall =
        0; ///< mean over heads and queries of the full-attention weight on the keys that are read, 0..1
    double outputError = 0; ///< |y - y^| / |y| after the output projection; Frobenius norms over the text
    /// Mean Jensen-Shannon divergence of p and p^, nats. Exact over all rows where it follows from the kept
    /// mass; with a far field or recast keys an estimate from `divergenceRows` rows; NaN where a token has no
    /// weight p^ at all (recurrent states) or a negative one (signed feature maps).
    double rowDivergence = 0;
    std::uint32_t divergenceRows = 0; ///< rows sampled over heads; 0: all rows
    double worstRowMass = 1;          ///< the smallest kept mass of any (head, query), which are:
    int worstHead = 0;
    std::uint32_t worstQuery = 0;
    /// Largest |o - o^| / (2 (1-rho) max|v| + the kernel's largest rounding error) over heads and queries,
    /// where rho is the kept mass. A value above 1 is a bug. Only heads where this bound holds are included,
    /// those with one softmax over the keys that are read and nothing else. NaN when there is no such head.
    double boundRatio = 0;
    std::vector<float> headMass;        ///< [H] mean kept mass
    std::vector<float> headOutputError; ///< [H] |o_h - o^_h| / |o_h|
    std::uint64_t pairs = 0;            ///< planned pairs over heads, plus summaries read
    std::uint64_t pairsComputed = 0;
    std::uint64_t routerMacs = 0;
    bool operator==(const LayerFidelity&) const = default;
};

/// Both arms of one layer, as compared by measureLayer. Views only.
struct LayerArms {
    ConstMatrixView v;                ///< [T x G*D]
    ConstMatrixView full;             ///< [T x H*D] output of full attention
    ConstMatrixView hybrid;           ///< [T x H*D] output under the plan, from the same q, k, v
    std::span<const float> fullLse;   ///< [T*H]
    std::span<const float> hybridLse; ///< [T*H]
    double fullProjected = 0;         ///< Frobenius norm of full * Wo (projectedNorm)
    /// [T*H] log-sum-exp over the exactly read keys only, without the far field. Empty when there is no far
    /// field: then it equals hybridLse.
    std::span<const float> exactLse = {};
    std::uint64_t farEntries = 0; ///< summaries read
};

/// Measures the isolated fidelity of one layer over the whole text. The kept mass needs no second pass: rho =
/// exp(hybrid lse - full lse), and the row divergence follows from it. Opens OpenMP regions of `threads` (0:
/// all); same bits at any number. Memory: about 8 MB.
[[nodiscard]] LayerFidelity measureLayer(const Model& model, const AttentionPlan& plan, const LayerArms& arms,
                                         int threads);
/// The Frobenius norm of o * Wo of `layer`, over the text.
[[nodiscard]] double projectedNorm(const Model& model, int layer, ConstMatrixView o, int threads);

/// Jensen-Shannon divergence in nats of p and p^, when p^ is p restricted to keys of total mass `rho` and
/// renormalised.
[[nodiscard]] double divergenceOfKeptMass(double rho);
/// The same when p^ is `factor` times p on those keys and its remaining mass lies on no key (a sink logit).
[[nodiscard]] double divergenceOfScaledMass(double rho, double factor);

/// Jensen-Shannon divergence of p and p^ of one row of head `head`, a far field spread over its tokens as
/// views do (FarShare.h); NaN for recurrent states, also where every key is read, and for weights that are
/// negative.
[[nodiscard]] double divergenceOfRow(const TileSource& source, int head, std::size_t query);

/// Statistics of one head in the full run, over `rows` evenly spaced queries (all queries when T <= rows).
struct HeadStats {
    float entropy = 0;  ///< mean row entropy, nats
    float sinkMass = 0; ///< mass on tokens 0..3
    /// Mass on the nearest 64 keys, including the query itself; in an encoder 32 of them come before the
    /// query and 31 after it.
    float localMass = 0;
    float keysFor90 = 0;     ///< mean number of keys that hold 90 % of a row's mass
    float meanDistance = 0;  ///< tokens
    float previousShare = 0; ///< mass on the previous token
    bool operator==(const HeadStats&) const = default;
};

[[nodiscard]] std::vector<HeadStats> measureHeads(const AttentionInput& input, std::span<const float> lse,
                                                  std::size_t rows, Isa isa, int threads);

/// Fidelity of the propagated hybrid run against the full run, on the same text at temperature 1. Of an
/// encoder all next-token numbers are NaN and their lists empty.
struct PropagatedFidelity {
    std::optional<SentenceFidelity> sentence; ///< of an encoder
    double nextTokenKl = 0;                   ///< mean over positions of KL(full || hybrid), nats
    double klP95 = 0;
    double klWorst = 0;
    std::uint32_t klWorstPosition = 0;
    double top1Agreement = 0; ///< share of positions with the same most likely token (ties: lower id)
    double deltaNll = 0;      ///< mean of hybrid minus full, nats per token
    double fullMeanNll = 0;
    double hybridMeanNll = 0;
    std::vector<float> kl;                ///< [T]
    std::vector<float> fullNll;           ///< [T], NaN at 0
    std::vector<float> hybridNll;         ///< [T], NaN at 0
    std::vector<std::int32_t> fullTop1;   ///< [T]
    std::vector<std::int32_t> hybridTop1; ///< [T]
    /// [L] |x - x^| / |x| of the residual stream after each layer, over the 256 evenly spaced tokens that the
    /// full run keeps (all tokens when T <= 256). The last entry is that of the hidden states after the last
    /// norm.
    std::vector<float> depthError;
    bool operator==(const PropagatedFidelity&) const = default;
};

/// Overlap of the keys that a row reads with the equally many keys of largest weight p, over evenly spaced
/// samples of (head, layer, row).
struct TopKOverlap {
    double mean = 0;
    std::uint32_t sampledRows = 0;
    bool operator==(const TopKOverlap&) const = default;
};

/// If `query` of `head` reads n keys: the share of them that are among its n keys of largest weight p. In a
/// tie the later key counts as larger.
[[nodiscard]] double topKOverlapOfRow(const AttentionInput& input, const AttentionPlan& plan, int head,
                                      std::size_t query, Isa isa);

/// Mean of b - a over the positions 2^n <= t < 2^(n+1), t >= 1. Shows where in the text a policy hurts, which
/// the mean over all positions hides.
struct PositionBin {
    std::uint32_t first = 0, last = 0; ///< inclusive
    double meanDelta = 0;              ///< nats
    bool operator==(const PositionBin&) const = default;
};
[[nodiscard]] std::vector<PositionBin> positionBins(std::span<const float> a, std::span<const float> b);

} // namespace fovea
