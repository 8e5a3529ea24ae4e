#pragma once
#include "core/base/Result.h"
#include "core/engine/Request.h"
#include "core/model/Model.h"
#include <cstddef>
#include <cstdint>
#include <optional>

namespace fovea {

/// Bytes that a request of `tokens` tokens needs, including both arms and all views. `weights`: what the
/// weights take (heldWeightBytes); absent: all of them unpacked. `kept`: layers whose activations are kept,
/// absent: all; with fewer, one more is held while it is computed again. Any thread.
[[nodiscard]] std::uint64_t memoryNeeded(const ModelShape& shape, Precision precision, std::size_t tokens,
                                         std::optional<std::uint64_t> weights = std::nullopt,
                                         std::optional<int> kept = std::nullopt);

/// A run that is held at the same time: the other one of two texts or models.
struct RunBeside {
    std::uint64_t bytes = 0;
    std::size_t tokens = 0; ///< 0: there is none
};

/// What a run of the request holds with the activations of `kept` layers, the weights aside.
[[nodiscard]] std::uint64_t runBytes(const Request& request, const Model& model, std::size_t tokens,
                                     int kept);

/// For how many layers the activations may be kept, so that the request fits its memory limit: 1 to L. Memory
/// that this process already holds counts as available. Errors: TooLarge ("16384 tokens need 4.1 GB; ..."),
/// before anything is allocated. Any thread.
[[nodiscard]] Result<int> layersThatFit(const Request& request, const Model& model, std::size_t tokens,
                                        const RunBeside& beside = {});

} // namespace fovea
