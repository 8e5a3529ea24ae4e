#pragma once
#include "core/base/Result.h"
#include "core/model/NativeAttention.h"
#include "core/policy/AttentionPolicy.h"
#include "core/route/ReadSets.h"
#include "core/route/TokenFacts.h"
#include <memory>
#include <vector>

namespace fovea {

/// A set of heads of one layer with the same policy, and everything that is known of them before queries and
/// keys are computed. The policy is resolved here once; router and planner use the result.
struct LayerPolicy {
    std::vector<int> heads; ///< ascending, never empty
    /// Their policy, with layer and head names resolved. Full attention for heads and layers that are kept as
    /// the model computes them.
    std::shared_ptr<const AttentionPolicy> policy;
    bool asModel = false; ///< every query of this text reads every key that the model lets it read
    std::shared_ptr<const AlwaysReads> always = nullptr; ///< for the text; not null after layerPolicies
    NativeWindow native = {};                            ///< of the layer
    [[nodiscard]] LocalReads local() const { return {policy->local, native}; }
    /// Whether a router is run for these heads.
    [[nodiscard]] bool routes() const { return !asModel && policy->routed.chooses(); }
    [[nodiscard]] bool has(int head) const;
};

/// The parts of one head of one layer of this model, without mix.full_heads: those of the policy, or those of
/// full attention where the policy keeps the layer full, and where its far field is a running state (linear,
/// recurrent) and the layer has a native window. Such a state sums over all earlier keys and forgets none, so
/// it is applied to the global layers only.
[[nodiscard]] const HeadParts& partsOf(const AttentionPolicy& policy, const ModelShape& shape, int layer,
                                       int head);
/// Whether every query reads all that the model lets it read, in every head of the layer and for any text.
[[nodiscard]] bool keptAsModel(const AttentionPolicy& policy, const ModelShape& shape, int layer);

/// Divides the heads of a layer into sets with the same policy, sorted by first head; every head is in
/// exactly one. Errors: those of policyFits; BadValue if mix.full_heads is used without retrieval scores.
/// Cost: one step per token and set.
[[nodiscard]] Result<std::vector<LayerPolicy>> layerPolicies(std::shared_ptr<const AttentionPolicy> policy,
                                                             const ModelShape& shape, int layer,
                                                             const TokenFacts& facts);

/// [L*H] 1 for the ceil(share*L*H) heads of largest score. Ties: the earlier head.
[[nodiscard]] std::vector<std::uint8_t> topHeads(const std::vector<float>& scores, double share);

} // namespace fovea
