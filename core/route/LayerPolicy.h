#pragma once
#include "core/base/Result.h"
#include "core/model/ModelShape.h"
#include "core/policy/AttentionPolicy.h"
#include "core/route/ReadSets.h"
#include "core/route/TokenFacts.h"
#include <memory>
#include <vector>

namespace fovea {

/// Heads of one layer that do the same, and everything known of them before queries and keys are. The policy
/// is asked here once; router and planner take what it said.
struct LayerPolicy {
    std::vector<int> heads; ///< ascending, never empty
    /// What they do: one policy, names of layers and heads resolved. Full attention's parts for heads and
    /// layers that are kept full.
    std::shared_ptr<const AttentionPolicy> policy;
    bool full = false; ///< every query of this text reads every key before it
    std::shared_ptr<const AlwaysReads> always = nullptr; ///< over the text; not null once resolved
    [[nodiscard]] LocalReads local() const { return LocalReads(policy->local); }
    /// Is a router run for these heads?
    [[nodiscard]] bool routes() const { return !full && policy->routed.chooses(); }
    [[nodiscard]] bool has(int head) const;
};

/// The layer's heads in sets that do the same, by first head; every head is in one of them. Errors: those of
/// policyFits; BadValue where mix.full_heads has no retrieval scores to rank. Cost: one step per token and
/// set.
[[nodiscard]] Result<std::vector<LayerPolicy>> layerPolicies(std::shared_ptr<const AttentionPolicy> policy,
                                                             const ModelShape& shape, int layer,
                                                             const TokenFacts& facts);

/// [L*H] 1: among the ceil(share*L*H) heads of greatest score. Ties: the earlier head.
[[nodiscard]] std::vector<std::uint8_t> topHeads(const std::vector<float>& scores, double share);

} // namespace fovea
