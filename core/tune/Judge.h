#pragma once
#include "core/base/Cancel.h"
#include "core/engine/Snapshot.h"
#include "core/tune/RowSample.h"
#include <span>
#include <vector>

namespace fovea {

/// One layer of a policy, judged isolated on sampled queries.
struct LayerJudgement {
    /// Mean over queries of |y - y^|^2 / |x|^2: the squared output error after the output projection beside
    /// the squared length of the residual stream x that it is added to.
    double streamError = 0;
    double outputError = 0; ///< |y - y^| / |y|, Frobenius norms over the sampled queries
    double mass = 0;        ///< mean kept mass over heads and queries, 0..1
    /// [H] mean over queries of |o_h - o^_h|^2 / |x|^2, before the output projection.
    std::vector<double> headError;
    std::vector<double> headPairs; ///< [H] estimated pairs over the whole text, without the far field
    double routerPairs = 0;        ///< the router's multiply-adds as pairs (2 D each), over the whole text
    bool operator==(const LayerJudgement&) const = default;
};

/// A policy judged without running the model under it.
struct Judgement {
    std::vector<LayerJudgement> layers; ///< [L]
    /// Pairs are estimated from the sampled rows; the router's multiply-adds are counted for the whole text,
    /// and the bytes follow from formulas. No seconds.
    Cost cost;
};

/// Judges each policy in the isolated regime: every layer routes, plans and attends the sampled queries from
/// the q, k, v and log-sum-exp that the full run kept, by the code that runs whole texts (runLayerRows). One
/// entry for each policy. Parallel over policies; same bits at any thread count. The snapshot needs a
/// complete full run; layers that were dropped are computed again, once for all policies. Errors: those of
/// policyFits (for any policy, before anything runs) and of runLayerRows; Unsupported for an encoder;
/// Cancelled. Cost: for each policy and layer the sampled rows, and whatever its router prepares for a whole
/// text. Memory: the output of one layer for each thread. Throws std::bad_alloc.
[[nodiscard]] Result<std::vector<Judgement>> judgePolicies(const Snapshot& withFullRun,
                                                           std::span<const AttentionPolicy> policies,
                                                           const RowSample& sample, const WorkContext& work);

} // namespace fovea
