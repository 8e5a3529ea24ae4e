#pragma once
#include "core/base/Cancel.h"
#include "core/kernels/Attention.h"
#include "core/model/Model.h"
#include <vector>

namespace fovea {

/// The retrieval score of every head: the share of copied tokens that the model gets right while the head's
/// greatest attention lies on the token being copied (Wu et al., "Retrieval Head Mechanistically Explains
/// Long-Context Factuality", 2024, 2404.15574). The needle here is a seeded random run of tokens that comes
/// twice, so every token of the second run is one to copy; the paper copies needle sentences from real text.
/// Offline: depends on the model alone, so a policy that uses it stays causal.
/// [L*H], 0..1, layer by layer. Cost: one full run over 256 tokens. Errors: Cancelled, those of `forward`.
[[nodiscard]] Result<std::vector<float>> retrievalScores(const Model& model, Isa isa,
                                                         const WorkContext& work);

} // namespace fovea
