#pragma once
#include "core/base/Cancel.h"
#include "core/engine/Snapshot.h"
#include <functional>
#include <memory>

namespace fovea {

/// Full attention's run over tokens of one model: the arm that hybrid attention is compared with. Full means
/// as the model computes it: native windows and soft-caps are part of it. Keeps of each layer what any row,
/// tile or isolated hybrid of it can be recomputed from; of layers for which `keeps` is false only statistics
/// and pictures. `layerDone` is called after each layer, outside
/// measured time, with the run as far as it has got. Uses request.isa and request.headStats. Errors: those of
/// `forward`; Cancelled. Throws std::bad_alloc. Memory and cost: see memoryNeeded; one forward pass
/// and the logits of every token.
[[nodiscard]] Result<std::shared_ptr<const FullRun>>
runFull(const Model& model, const Tokens& tokens, const Request& request,
        const std::function<void(const FullRun& soFar, int layer)>& layerDone, const WorkContext& work,
        const std::function<bool(int layer)>& keeps = {});

/// As `keeps`, for callers that need the figures of the run and no layer of it: no activations are held.
[[nodiscard]] inline bool keepsNoLayer(int /*layer*/) {
    return false;
}

} // namespace fovea
