#pragma once
#include "core/kernels/Attention.h"
#include "core/kernels/AttentionCells.h"
#include "core/plan/AttentionPlan.h"
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace fovea {

inline constexpr std::size_t kTile = 256; ///< cells per side of a value tile

/// The two policies that are compared. B is the one that is changed; A is what it is compared with.
enum class MapArm : std::uint8_t { A, B };

/// Difference: an arm minus full attention. ArmDifference: arm B minus arm A, when A is a policy too.
enum class MapQuantity : std::uint8_t { Full, Hybrid, Difference, Kept, ArmDifference };
[[nodiscard]] constexpr bool isDifference(MapQuantity quantity) {
    return quantity == MapQuantity::Difference || quantity == MapQuantity::ArmDifference;
}
enum class Pooling : std::uint8_t { Max, Mass };
/// State of a cell, in order of precedence. A pooled cell takes the first state that one of its pairs has.
/// Outside: the model itself does not let the query read the key (native window); Impossible: the key comes
/// later and the model reads earlier keys only.
enum class CellState : std::uint8_t { Local, Always, Routed, Far, Skipped, Outside, Impossible };

/// A tile of the map pyramid. Level n pools 2^n x 2^n pairs into one value. Tile (row, col) begins at query
/// row*256*2^n and key col*256*2^n.
struct TileKey {
    int layer = 0, head = 0;
    MapQuantity quantity = MapQuantity::Full;
    Pooling pooling = Pooling::Max;
    int level = 0;
    std::uint32_t row = 0, col = 0;
    MapArm arm = MapArm::B; ///< whose policy; no difference for Full and ArmDifference
    bool operator==(const TileKey&) const = default;
};

/// 256 x 256 values, row-major, and their states. Max: the largest p (for differences the one of largest
/// magnitude; the subtraction comes first, pair by pair). Mass: sum over keys, mean over the cell's queries.
/// Kept: of the cell's pairs that the model computes (causal, inside the native window) the share that is
/// read exactly (a far field's tokens are not), and beside it the share that a far field stands for. Hybrid
/// spreads a far field over its tokens (FarShare.h). Cells of rows that the plan or its log-sum-exp does not
/// cover yet: NaN, Skipped (not for Full without a plan). Pairs outside a native window have value 0 and
/// state Outside. ArmDifference has the states and shares of arm B.
struct MapTile {
    TileKey key;
    std::vector<float> value;     ///< [kTile*kTile]; 0 when nothing is read
    std::vector<CellState> state; ///< [kTile*kTile]; without a plan every cell with a pair that the model
                                  ///< computes is Local
    std::vector<float> keptShare; ///< [kTile*kTile] 0..1; empty at level 0
    /// [kTile*kTile] 0..1, of Kept: share of the same pairs that only a far field stands for. Empty: the head
    /// has no far field.
    std::vector<float> farShare;
};

/// The input of a tile: one layer of the full run and, for quantities other than Full, the isolated hybrid
/// rows.
struct TileSource {
    AttentionInput input;
    std::span<const float> fullLse;      ///< [T*H]
    std::span<const float> hybridLse;    ///< [T*H]; empty: only Full can be made
    const AttentionPlan* plan = nullptr; ///< must cover the tile's rows
    Isa isa = Isa::Portable;
    std::span<const float> againstLse = {};     ///< [T*H] of arm A; empty: it is full attention or not run
    const AttentionPlan* againstPlan = nullptr; ///< of arm A; null: as above
};

/// The same layer with arm A in the place of arm B: hybridLse and plan are those of arm A.
[[nodiscard]] TileSource againstSource(const TileSource& source);

/// Opens an OpenMP region of `threads` (0: all); same bits at any number. Exact from q, k and log-sum-exp: p
/// = exp(s - lse). Nothing of size T x T is stored. Cost: 4^level * 65,536 dot products of length D.
[[nodiscard]] MapTile makeTile(const TileKey& key, const TileSource& source, int threads);

/// Makes tile (0, 0), which covers the whole text, from `picture` at the level of its cells, without reading
/// q and k. Every cell with a pair that the model computes is Local. Values are exact to 1e-5 in f32 and to
/// the kernel's rounding in bf16. For MapQuantity::Full. Cost: 4,096 values.
[[nodiscard]] MapTile pictureTile(const TileKey& key, const AttentionCells& picture);

/// One row of attention: the weights p (full) and p^ (hybrid) of one query, for keys 0..query; of an encoder
/// for every key of the text.
struct AttentionRow {
    std::vector<float> full;    ///< [query+1], of an encoder [T], as all three
    std::vector<float> hybrid;  ///< [query+1]; 0 for keys that are not read
    std::vector<Reason> reason; ///< [query+1]
};
[[nodiscard]] AttentionRow makeRow(int head, std::size_t query, const TileSource& source);

} // namespace fovea
