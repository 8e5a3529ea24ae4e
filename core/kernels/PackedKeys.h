#pragma once
#include "core/base/Matrix.h"
#include "core/kernels/Attention.h"
#include "core/kernels/BlockKernel.h"

namespace fovea::kernels {

/// A copy of K and V of a layer with the rows of each key-value head contiguous, made once for all query
/// blocks: unchanged in f32, as words in bf16 (PackTask). In the caller's matrices the rows of one head lie 2
/// KiB or more apart, so they share few sets of the first-level cache and no hardware prefetcher follows
/// them. When it is empty, kernels read the caller's rows.
class PackedKeys {
public:
    PackedKeys() = default;
    /// For key-value heads [first, last). `in` must outlive this object. `table`: the bf16 code; null: f32.
    /// Nothing is copied yet. Throws std::bad_alloc.
    PackedKeys(const AttentionInput& in, const Bf16Table* table, std::size_t first, std::size_t last);

    /// Number of copy tasks: 64 keys of one head each, in any order, on any thread.
    [[nodiscard]] std::size_t tasks() const { return m_heads * m_rows / kBlock; }
    void pack(std::size_t task);

    /// Points `task`, whose headDim is set, to the rows of key-value head `head`. If nothing is packed, the
    /// task keeps the caller's rows.
    void describe(std::size_t head, BlockTask& task) const;

private:
    [[nodiscard]] PackTask share(std::size_t task);
    void copyRows(const PackTask& task) const;

    const AttentionInput* m_in = nullptr;
    const Bf16Table* m_table = nullptr;
    std::size_t m_first = 0, m_heads = 0;
    std::size_t m_rows = 0;                     ///< rows per head, rounded up to whole blocks
    std::size_t m_keySize = 0, m_valueSize = 0; ///< floats or words of a head
    AlignedBuffer<float> m_keys, m_values;
};

} // namespace fovea::kernels
