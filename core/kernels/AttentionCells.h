#pragma once
#include "core/base/Matrix.h"
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

struct AttentionInput;

/// A coarse picture of one layer's attention as the model computes it: its weights pooled over squares of
/// `cell` x `cell` pairs. The kernel computes it from its own tiles while they are in the first-level cache.
/// Only the last one or two rows of some texts, and texts of up to 8 tokens, are computed a second time.
struct AttentionCells {
    std::size_t tokens = 0;  ///< T
    std::size_t cell = 0;    ///< tokens per side of a cell, a power of two; 0: empty
    std::size_t count = 0;   ///< cells per side
    std::size_t window = 0;  ///< the layer's native window; 0: none
    bool later = false;      ///< of an encoder: cells above the diagonal too
    std::vector<float> mass; ///< [H][count][count] sum of p over the cell's keys, mean over its queries
    std::vector<float> top;  ///< [H][count][count] largest p; both 0 above the diagonal and outside the
                             ///< native window

    [[nodiscard]] std::size_t heads() const { return count == 0 ? 0 : mass.size() / (count * count); }
    [[nodiscard]] std::size_t at(std::size_t head, std::size_t row, std::size_t column) const {
        return (head * count + row) * count + column;
    }
};

/// Cells for `heads` heads over `tokens` tokens, all zero. `cell`: a power of two up to kBlock. `window`: the
/// layer's native window, 0: none. Throws std::bad_alloc.
[[nodiscard]] AttentionCells makeCells(int heads, std::size_t tokens, std::size_t cell,
                                       std::size_t window = 0);

/// The smallest cell size, from 1 to kBlock, with at most `most` cells per side. Ask the kernel for this
/// size; if kBlock is still too small, pooledTo does the rest.
[[nodiscard]] std::size_t cellFor(std::size_t tokens, std::size_t most);

/// The same picture with at most `most` cells per side, each pooled from whole cells of `cells`. Throws
/// std::bad_alloc.
[[nodiscard]] AttentionCells pooledTo(const AttentionCells& cells, std::size_t most);

/// Bytes of the cells of one layer.
[[nodiscard]] std::uint64_t cellBytes(int heads, std::size_t tokens, std::size_t cell);

/// Computes the cells of queries [first, T) of all heads with plain loops over p = exp(s - lse). For the last
/// few rows of a text that no tile computes. `first` is a multiple of the cell size; q holds all T rows.
void fillCellRows(const AttentionInput& in, std::span<const float> lse, std::size_t first,
                  AttentionCells& cells);

} // namespace fovea
