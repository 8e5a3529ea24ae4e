#pragma once
#include "core/base/Result.h"
#include "core/model/ModelShape.h"
#include "core/policy/AttentionPolicy.h"
#include <cstddef>

namespace fovea {

/// Can `policy` run on a model of this shape and a text of `tokens` tokens? Everything that depends on model
/// and text is checked here, so that a caller can ask before any attention is computed; `validated` has
/// checked the rest. Errors, one sentence that names field, value and what would be accepted: Unsupported
/// (requireCausal, or for an encoder the reverse; a linear state in a layer that caps its logits; moved
/// positions in a layer without rotation); BadValue for mix.layers that does not name every layer, mix.heads
/// that is neither one list for all layers nor one list for each, or whose lists name more heads than the
/// model has, mix.full_layers with a layer that does not exist, always.pinned (the policy's own or that of a
/// head policy) with a position outside the text, and for a text that learned positions do not reach. Cost:
/// the length of the lists. Thread-safe.
[[nodiscard]] Result<> policyFits(const AttentionPolicy& policy, const ModelShape& shape, std::size_t tokens);

/// As policyFits, for layers and heads only: the text is not known yet.
[[nodiscard]] Result<> policyFitsModel(const AttentionPolicy& policy, const ModelShape& shape);

} // namespace fovea
