#pragma once
#include "core/base/Matrix.h"
#include <span>

namespace fovea {

class RouterState;
struct TokenFacts;

/// One layer's activations as a router may see them. Views only.
struct RouteInput {
    int layer = 0;
    ConstMatrixView q; ///< [T x H*D]
    ConstMatrixView k; ///< [T x G*D]
    ConstMatrixView v; ///< [T x G*D]
    /// [T*H], row-major by token then head: log-sum-exp of the full run's rows; empty unless the full run of
    /// this layer is at hand (`received` then needs no second pass).
    std::span<const float> fullLse;
    const TokenFacts* facts = nullptr;
    /// [T] length of each token's residual stream entering the layer; empty: not known here.
    std::span<const float> hiddenNorm = {};
    /// `k` as it is read back from 8-bit directions, which a policy of routed.store direction8 ranks by;
    /// empty: read back here when it is needed.
    ConstMatrixView storedK = {};
    /// What earlier calls on the same growing text have rounded; null: nothing is kept (RoundedKeys.h).
    RouterState* kept = nullptr;
};

} // namespace fovea
