#include "core/kernels/AttentionCells.h"
#include "core/base/Check.h"
#include "core/kernels/Attention.h"
#include <algorithm>
#include <bit>
#include <cmath>

namespace fovea {

namespace {

std::size_t cellsOf(std::size_t tokens, std::size_t cell) {
    return (tokens + cell - 1) / cell;
}

} // namespace

AttentionCells makeCells(int heads, std::size_t tokens, std::size_t cell, std::size_t window) {
    FOVEA_ASSERT(std::has_single_bit(cell) && cell <= kBlock);
    AttentionCells cells{tokens, cell, cellsOf(tokens, cell), window, false, {}, {}};
    cells.mass.resize(cells.at(static_cast<std::size_t>(heads), 0, 0));
    cells.top.resize(cells.mass.size());
    return cells;
}

std::size_t cellFor(std::size_t tokens, std::size_t most) {
    return std::min<std::size_t>(kBlock, std::bit_ceil(std::max<std::size_t>(1, cellsOf(tokens, most))));
}

AttentionCells pooledTo(const AttentionCells& cells, std::size_t most) {
    const std::size_t heads = cells.heads();
    std::size_t times = 1;
    while (cellsOf(cells.count, times) > most)
        times *= 2;
    AttentionCells out{
        cells.tokens, cells.cell * times, cellsOf(cells.count, times), cells.window, cells.later, {}, {}};
    out.mass.resize(out.at(heads, 0, 0));
    out.top.resize(out.mass.size());
    const auto queriesOf = [&](std::size_t row, std::size_t cell) {
        return static_cast<float>(std::min(cell, cells.tokens - row * cell));
    };
    for (std::size_t head = 0; head < heads; ++head)
        for (std::size_t row = 0; row < cells.count; ++row) {
            const float share = queriesOf(row, cells.cell) / queriesOf(row / times, out.cell);
            for (std::size_t column = 0; column < cells.count; ++column) { // 0 above the diagonal stays 0
                const std::size_t from = cells.at(head, row, column);
                const std::size_t to = out.at(head, row / times, column / times);
                out.mass[to] += share * cells.mass[from];
                out.top[to] = std::max(out.top[to], cells.top[from]);
            }
        }
    return out;
}

std::uint64_t cellBytes(int heads, std::size_t tokens, std::size_t cell) {
    const std::uint64_t count = cellsOf(tokens, cell);
    return 2 * sizeof(float) * static_cast<std::uint64_t>(heads) * count * count;
}

void fillCellRows(const AttentionInput& in, std::span<const float> lse, std::size_t first,
                  AttentionCells& cells) {
    const auto heads = static_cast<std::size_t>(in.heads);
    const std::size_t tokens = cells.tokens;
    Matrix logits(1, tokens);
    for (std::size_t head = 0; head < heads; ++head)
        for (std::size_t query = first; query < tokens; ++query) {
            const std::size_t end = in.native().end(query, tokens);
            const MatrixView s(logits.view().data, 1, end, logits.view().stride);
            logitTile(in, static_cast<int>(head), query, 0, s, Isa::Portable);
            const std::size_t row = query / cells.cell;
            const std::size_t begin = row * cells.cell;
            const auto queries = static_cast<float>(std::min(begin + cells.cell, tokens) - begin);
            for (std::size_t key = in.native().first(query); key < end; ++key) {
                const std::size_t to = cells.at(head, row, key / cells.cell);
                const float p = std::exp(s(0, key) - lse[query * heads + head]);
                cells.mass[to] += p / queries;
                cells.top[to] = std::max(cells.top[to], p);
            }
        }
}

} // namespace fovea
