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
    /// [T*H], token-major: log-sum-exp of the rows of the full run. Empty when the full run of this layer is
    /// not available; with it `received` needs no second pass.
    std::span<const float> fullLse;
    const TokenFacts* facts = nullptr;
    /// [T] norm of each token's residual stream that enters the layer. Empty: not known.
    std::span<const float> hiddenNorm = {};
    /// `k` rounded to 8-bit directions, which routed.store direction8 ranks by. Empty: computed when it is
    /// needed.
    ConstMatrixView storedK = {};
    /// Keys that earlier calls on the same growing text have rounded (RoundedKeys.h). Null: nothing is kept.
    RouterState* kept = nullptr;
};

} // namespace fovea
