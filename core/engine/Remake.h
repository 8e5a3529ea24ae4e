#pragma once
#include "core/base/Cancel.h"
#include "core/engine/Snapshot.h"
#include "core/model/Forward.h"
#include <functional>
#include <memory>

namespace fovea {

// Activations that did not fit the memory limit are dropped when their layer is done (FullRun::layers) and
// computed again when they are needed: the same operations on the same numbers, so the same bits.

/// Full attention of one layer: fills `o` and returns what a full run keeps of the layer. With
/// request.headStats the kernel also pools `picture`. `attentionSeconds` gains the kernel's own time. Errors:
/// those of `attend`. Throws std::bad_alloc.
[[nodiscard]] Result<std::shared_ptr<LayerActivations>>
attendFullLayer(const Model& model, const Request& request, const LayerInput& in, MatrixView o,
                const AttentionPlan& plan, const WorkContext& work, double& attentionSeconds);

/// Adds to `layer` copies of what entered and left the layer's attention, so that it stands alone.
void keepActivations(LayerActivations& layer, const Model& model, const LayerInput& in, ConstMatrixView o,
                     int threads);

/// Sees the activations of one layer; an error ends the walk with it.
using SeeLayer = std::function<Result<>(int layer, std::shared_ptr<const LayerActivations>)>;

/// Runs the text once more up to layer `last` and shows each layer's activations, those that are kept and
/// those that had been dropped. Only one that had been dropped is held at a time. Needs a snapshot with
/// model, tokens and a complete full run. Cost: a forward pass without logits, and no attention in layers
/// that are kept. Errors: those of `forward` and of `see`, Cancelled. Throws std::bad_alloc.
[[nodiscard]] Result<> remakeLayers(const Snapshot& withFullRun, int last, const SeeLayer& see,
                                    const WorkContext& work);

/// Shows the activations of every layer in order: from memory where all are kept, else by remakeLayers.
[[nodiscard]] Result<> eachLayer(const Snapshot& withFullRun, const SeeLayer& see, const WorkContext& work);

/// The snapshot with the activations of a layer put in.
[[nodiscard]] Snapshot withLayer(const Snapshot& snapshot, int layer,
                                 std::shared_ptr<const LayerActivations> activations);

} // namespace fovea
