#pragma once
#include "core/measure/RecipeTile.h"
#include <functional>
#include <memory>
#include <utility>

namespace fovea::ui {

/// Which tile of which map: TileKey with the recipe of a map that combines heads, words or sentences. Rows
/// and columns count the recipe's cells. Equal recipes must be one object.
struct MapKey : TileKey {
    std::shared_ptr<const MapRecipe> recipe; ///< null: one head, and a cell is a pair of tokens

    MapKey() = default;
    MapKey(const TileKey& key, std::shared_ptr<const MapRecipe> of = nullptr)
        : TileKey(key), recipe(std::move(of)) {}
    bool operator==(const MapKey&) const = default;
};

/// Returns a tile, or null if it is not available.
using TileLookup = std::function<std::shared_ptr<const MapTile>(const MapKey&)>;

} // namespace fovea::ui
