#pragma once
#include "core/base/Matrix.h"
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

struct AttentionInput;

/// Full attention of one layer, pooled over squares of `cell` x `cell` pairs: its coarse picture. The kernel
/// makes it from the weights of its own tiles while they are in the first-level cache; only the last one or
/// two rows of some texts, and texts of up to 8 tokens, are computed a second time.
struct AttentionCells {
    std::size_t tokens = 0;  ///< T
    std::size_t cell = 0;    ///< tokens per side, a power of two; 0: nothing is held
    std::size_t count = 0;   ///< cells per side
    std::vector<float> mass; ///< [H][count][count] sum of p over the cell's keys, mean over its queries
    std::vector<float> top;  ///< [H][count][count] largest p; both 0 above the diagonal

    [[nodiscard]] std::size_t heads() const { return count == 0 ? 0 : mass.size() / (count * count); }
    [[nodiscard]] std::size_t at(std::size_t head, std::size_t row, std::size_t column) const {
        return (head * count + row) * count + column;
    }
};

/// Room for `heads` heads over `tokens`, all zero. `cell`: a power of two up to kBlock. Throws
/// std::bad_alloc.
[[nodiscard]] AttentionCells makeCells(int heads, std::size_t tokens, std::size_t cell);

/// Cells of the smallest size at which a text has at most `most` per side, at least 1, at most kBlock: what
/// to ask the kernel for. The rest is pooledTo's.
[[nodiscard]] std::size_t cellFor(std::size_t tokens, std::size_t most);

/// The same picture with at most `most` cells per side, each pooled from whole cells of `cells`. Throws
/// std::bad_alloc.
[[nodiscard]] AttentionCells pooledTo(const AttentionCells& cells, std::size_t most);

/// Bytes of a layer's cells of size `cell`.
[[nodiscard]] std::uint64_t cellBytes(int heads, std::size_t tokens, std::size_t cell);

/// The kernel's share for queries [first, T) of all heads, by plain loops over p = exp(s - lse): for the few
/// last rows of a text that no tile computes. `first` is a multiple of the cell; q holds all T rows.
void fillCellRows(const AttentionInput& in, std::span<const float> lse, std::size_t first,
                  AttentionCells& cells);

} // namespace fovea
