#pragma once
#include "core/base/Matrix.h"
#include "core/kernels/Attention.h"
#include "core/kernels/BlockKernel.h"

namespace fovea::kernels {

/// K and V of a layer's key-value heads, one head's rows side by side, copied once for all query blocks: in
/// f32 as they are, in bf16 as words (PackTask). Between the rows of one head lie those of the others; at 2
/// KiB and more apart they share a few sets of the first-level cache and no prefetcher follows them. Empty:
/// kernels read the caller's rows.
class PackedKeys {
public:
    PackedKeys() = default;
    /// Key-value heads [first, last); `in` must outlive it. `table`: of bf16; null: f32. Nothing is copied
    /// yet. Throws std::bad_alloc.
    PackedKeys(const AttentionInput& in, const Bf16Table* table, std::size_t first, std::size_t last);

    /// Copies of 64 keys of one head, to be made in any order, by any thread.
    [[nodiscard]] std::size_t tasks() const { return m_heads * m_rows / kBlock; }
    void pack(std::size_t task);

    /// Points `task`, whose head dim is set, at the rows of key-value head `head`; where nothing is packed it
    /// keeps the caller's.
    void describe(std::size_t head, BlockTask& task) const;

private:
    [[nodiscard]] PackTask share(std::size_t task);
    void copyRows(const PackTask& task) const;

    const AttentionInput* m_in = nullptr;
    const Bf16Table* m_table = nullptr;
    std::size_t m_first = 0, m_heads = 0;
    std::size_t m_rows = 0;                     ///< of each head, whole blocks
    std::size_t m_keySize = 0, m_valueSize = 0; ///< floats or words of a head
    AlignedBuffer<float> m_keys, m_values;
};

} // namespace fovea::kernels
