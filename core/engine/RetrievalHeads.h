#pragma once
#include "core/base/Cancel.h"
#include "core/engine/Snapshot.h"
#include "core/kernels/Attention.h"
#include "core/model/Model.h"
#include "core/policy/AttentionPolicy.h"
#include <vector>

namespace fovea {

/// The retrieval score of every head: the share of copied tokens that the model gets right while the head's
/// greatest attention lies on the token being copied (Wu et al., "Retrieval Head Mechanistically Explains
/// Long-Context Factuality", 2024, 2404.15574). Here the text is a random sequence of tokens (from a seed)
/// that occurs twice, so every token of the second occurrence is a copy; the paper copies sentences from real
/// text. The score depends only on the model, so a policy that uses it stays causal. [L*H], 0..1, layer by
/// layer. Cost: one full run over 256 tokens. Errors: Cancelled, those of `forward`.
[[nodiscard]] Result<std::vector<float>> retrievalScores(const Model& model, Isa isa,
                                                         const WorkContext& work);

/// Whether a policy ranks heads by these scores, so that they must be known before it runs.
[[nodiscard]] inline bool ranksHeads(const AttentionPolicy& policy) {
    return policy.mix.fullHeads > 0;
}

/// The snapshot with the scores of its model among its facts; unchanged where they are there. Errors: those
/// of retrievalScores.
[[nodiscard]] Result<Snapshot> withRetrievalScores(const Snapshot& snapshot, const WorkContext& work);

} // namespace fovea
