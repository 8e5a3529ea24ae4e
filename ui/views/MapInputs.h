#pragma once
#include "core/engine/Snapshot.h"
#include "core/measure/RecipeTile.h"
#include "ui/plot/SameOwner.h"
#include <algorithm>
#include <memory>
#include <vector>

namespace fovea::ui {

/// The parts of a snapshot that the numbers of a map are made from. The snapshots of a run share them, so a
/// new snapshot alone is no reason to compute the numbers again. Weak pointers, compared by owner, as in
/// TileCache.
struct MapInputs {
    std::vector<std::weak_ptr<const LayerActivations>> layers; ///< one for each head
    std::weak_ptr<const VisibleLayer> armA, armB; ///< of the first layer; empty: full attention, or not known

    [[nodiscard]] bool sameLayers(const MapInputs& other) const {
        return std::equal(layers.begin(), layers.end(), other.layers.begin(), other.layers.end(),
                          [](const auto& a, const auto& b) { return sameOwner(a, b); });
    }
    [[nodiscard]] bool sameArms(const MapInputs& other) const {
        return sameOwner(armA, other.armA) && sameOwner(armB, other.armB);
    }
};

/// Of a map of these heads: at least one, whose layers the snapshot has.
[[nodiscard]] inline MapInputs mapInputs(const Snapshot& snapshot, const std::vector<HeadAt>& heads) {
    MapInputs inputs;
    for (const HeadAt& at : heads)
        inputs.layers.push_back(snapshot.full->layers[static_cast<std::size_t>(at.layer)]);
    const auto ofLayer = [&](const std::shared_ptr<const VisibleLayer>& visible) {
        return visible && visible->layer == heads.front().layer ? visible : nullptr;
    };
    inputs.armB = ofLayer(snapshot.visible);
    if (snapshot.against)
        inputs.armA = ofLayer(snapshot.against->visible);
    return inputs;
}

} // namespace fovea::ui
