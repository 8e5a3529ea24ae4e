#pragma once
#include "core/base/Cancel.h"
#include "core/model/ModelShape.h"
#include "core/policy/AttentionPolicy.h"
#include "core/probe/ProbeScore.h"

namespace fovea {

/// One layer without a model: each query reads the vector that is furthest from its own (Zaheer, Big Bird,
/// 2020, 2007.14062, where a sparse layer needs about n of them for what full attention does in one).
/// x_i are random unit vectors, q_i = -c x_i, k_i = x_i with a large c, and v_j is a code of j, so the output
/// names the key that was read. Each head has vectors of its own. The paper has v_j one-hot, which needs as
/// many dimensions as tokens.
struct FurthestPair {
    std::size_t tokens = 0;
    ProbeScore full, hybrid; ///< over queries and heads; full must be 1
};

/// `shape`: of the model whose heads and layer 0 the policy is about; native windows and soft-caps are left
/// out. Errors: those of policyFits and runLayer, Cancelled. Throws std::bad_alloc. Cost: attention of one
/// layer in each arm, and T^2 D / 2 multiply-adds for each key-value head.
[[nodiscard]] Result<FurthestPair> furthestPair(const AttentionPolicy& policy, const ModelShape& shape,
                                                std::size_t tokens, std::uint64_t seed,
                                                const WorkContext& work);

} // namespace fovea
