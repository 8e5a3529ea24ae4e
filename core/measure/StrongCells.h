#pragma once
#include "core/base/Cancel.h"
#include "core/measure/RecipeTile.h"
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

// The links that weigh most in a part of a map: the map as a table. Any thread.
namespace fovea {

/// A cell with its exact weights.
struct StrongCell {
    std::size_t query = 0, key = 0; ///< cells of the map
    double full = 0;                ///< full attention
    std::optional<double> hybrid;   ///< under arm B; empty: not known of this row
    std::optional<double> against;  ///< under arm A; empty: not known, or arm A is full attention
    bool operator==(const StrongCell&) const = default;
};

struct StrongCells {
    std::vector<StrongCell> cells; ///< strongest first; ties: as rows are read
    std::uint64_t of = 0;          ///< how many cells the part has
    double share = 1;              ///< of the magnitude of all of them, what `cells` have
};

/// The part of a map that is asked for, and what counts as strong in it.
struct StrongCellsWish {
    MapRecipe recipe; ///< at least one head
    RowRange queries, keys;
    MapQuantity by = MapQuantity::Full; ///< the weight or the difference; Kept: the weight of the arm
    MapArm arm = MapArm::B;             ///< whose weight
    bool policies = false;              ///< arm A is a policy: its weights are given too
    std::span<const std::uint8_t> hiddenKeys = {}, hiddenQueries = {}; ///< [cells] 1: left out; may be empty
    std::size_t most = 0;                                              ///< cells that are given
};

/// A key after the query is no cell, unless the model reads both directions; one outside a native window
/// weighs 0. Errors: those of `sources`, Cancelled. Cost: a row of attention for each query and head, twice
/// where both arms are policies.
[[nodiscard]] Result<StrongCells> strongCells(const StrongCellsWish& wish, const LayerSources& sources,
                                              const WorkContext& work);

} // namespace fovea
