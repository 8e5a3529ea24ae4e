#pragma once
#include "core/measure/MapTile.h"

namespace fovea {

/// The tile of MapQuantity::ArmDifference between two models over the same tokens: the weights of `b` under
/// its plan minus those of `a` under its own, pair by pair before they are pooled. Both sources have the same
/// number of tokens, and the head of the key. States and shares are those of `b`. Threads, bits and cost as
/// makeTile, with the dot products of both models.
[[nodiscard]] MapTile makeOtherTile(const TileKey& key, const TileSource& b, const TileSource& a,
                                    int threads);

} // namespace fovea
