#pragma once
#include "core/base/Cancel.h"
#include "core/measure/MapTile.h"
#include "core/text/TokenGroups.h"
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace fovea {

struct HeadAt {
    int layer = 0, head = 0;
    bool operator==(const HeadAt&) const = default;
};

/// How the weights of several heads become one.
enum class HeadCombine : std::uint8_t {
    Mean, ///< rows still sum to what the heads' rows sum to
    Max,  ///< the strongest link of any head; by magnitude for a difference
};

/// A map made from the maps of one or several heads: which heads, how they are combined, and what a cell
/// stands for. Nothing is pooled before the heads are combined, so that every value is exact.
struct MapRecipe {
    std::vector<HeadAt> heads; ///< at least one, each once
    HeadCombine combine = HeadCombine::Mean;
    std::shared_ptr<const TokenGroups> groups; ///< of the text; null: a cell is a pair of tokens
    TextUnit unit = TextUnit::Token;

    /// Whether it is more than one head's map of tokens.
    [[nodiscard]] bool plain() const { return heads.size() == 1 && groups == nullptr; }
    /// For titles and files: "mean of L12 H0 to H8, by word".
    [[nodiscard]] std::string text() const;
    /// Cells per side over a text of `tokens`.
    [[nodiscard]] std::size_t cells(std::size_t tokens) const { return groups ? groups->size() : tokens; }
    [[nodiscard]] RowRange tokensOf(std::size_t cell) const {
        return groups ? RowRange{groups->first(cell), groups->last(cell)} : RowRange{cell, cell + 1};
    }
    [[nodiscard]] std::size_t cellOf(std::size_t token) const { return groups ? groups->of(token) : token; }
};

/// The tile source of each layer that the recipe names; the data outlives the call.
using LayerSources = std::function<Result<TileSource>(int layer)>;

/// A tile of the recipe's map; `key.layer` and `key.head` are not used, rows and columns count cells. A cell
/// of level 0 holds the sum over its keys of the mean over its queries; Pooling of coarser cells is as in
/// MapTile. Shares of read pairs are means over the heads, a cell's state the strongest of its pairs in any
/// head. Errors: those of `sources`, Cancelled. Cost: that of the token tiles of level 0 under it, for each
/// head. Opens an OpenMP region of `threads`; same bits at any number.
[[nodiscard]] Result<MapTile> makeRecipeTile(const TileKey& key, const MapRecipe& recipe,
                                             const LayerSources& sources, int threads,
                                             const WorkContext& work);

/// One row of the recipe's map: the weights on the cells 0..cell, of an encoder on every cell; as in a cell
/// of level 0.
struct RecipeRow {
    std::vector<double> full;
    std::vector<double> hybrid; ///< as long as `full`; where it is not `covered`, full attention's
    bool covered = true;        ///< every row of every head is known under the policy
};
/// Errors: those of `sources`. Cost: a row of attention for each head and query of the cell. Any thread.
[[nodiscard]] Result<RecipeRow> makeRecipeRow(std::size_t cell, const MapRecipe& recipe,
                                              const LayerSources& sources);

} // namespace fovea
