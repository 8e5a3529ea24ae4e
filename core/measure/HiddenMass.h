#pragma once
#include "core/base/Cancel.h"
#include "core/measure/RecipeTile.h"
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

// How much attention the cells have that a map leaves out. Any thread.
namespace fovea {

/// The share of the mass that the hidden cells have, 0..1.
struct HiddenMass {
    std::vector<float> full, hybrid;  ///< [cells] of each row of the map; NaN where the hybrid is not known
    double meanFull = 0;              ///< over the queries
    std::optional<double> meanHybrid; ///< empty: it is not known of every row
};
/// `hiddenKeys`: [cells of the recipe] 1 for those that are left out. Errors: Cancelled, those of `sources`.
/// Cost: a row of attention for each query and head.
[[nodiscard]] Result<HiddenMass> hiddenMass(const MapRecipe& recipe, std::span<const std::uint8_t> hiddenKeys,
                                            const LayerSources& sources, const WorkContext& work);

/// What the first keys of a text take from one head. Xiao et al., "Efficient Streaming Language Models with
/// Attention Sinks", 2023: much of the mass, on values that are short.
struct SinkFacts {
    double mass = 0;         ///< full attention's share on the sinks, mean over the queries
    double weightedMass = 0; ///< the same with each weight times the length of its value
    double sinkNorm = 0;     ///< mean length of the sinks' values
    double otherNorm = 0;    ///< of the other keys' values; 0: there are none
};
/// The keys [0, sinks), at most the text. Error: Cancelled. Cost: a row of attention for each query.
[[nodiscard]] Result<SinkFacts> sinkFacts(const TileSource& source, int head, std::size_t sinks,
                                          const WorkContext& work);

} // namespace fovea
