#include "core/kernels/PackedKeys.h"
#include <algorithm>

namespace fovea::kernels {

PackedKeys::PackedKeys(const AttentionInput& in, const Bf16Table* table, std::size_t first, std::size_t last)
    : m_in(&in), m_table(table), m_first(first), m_heads(last - first),
      m_rows((in.k.rows + kBlock - 1) / kBlock * kBlock),
      m_keySize(m_rows * (table != nullptr ? wordPitch(in.headDim) : paddedDim(in.headDim))),
      m_valueSize(m_rows * paddedDim(in.headDim) / (table != nullptr ? 2 : 1)), m_keys(m_heads * m_keySize),
      m_values(m_heads * m_valueSize) {}

PackTask PackedKeys::share(std::size_t task) {
    // The inner loop runs over heads, because a row of the caller holds all heads of a key.
    const std::size_t head = task % m_heads;
    const std::size_t column = (m_first + head) * static_cast<std::size_t>(m_in->headDim);
    PackTask t;
    t.k = m_in->k.data + column;
    t.kStride = m_in->k.stride;
    t.v = m_in->v.data + column;
    t.vStride = m_in->v.stride;
    t.keys = m_in->k.rows;
    t.first = task / m_heads * kBlock;
    t.last = t.first + kBlock;
    t.headDim = m_in->headDim;
    t.packedK = m_keys.data() + head * m_keySize;
    t.packedV = m_values.data() + head * m_valueSize;
    return t;
}

void PackedKeys::copyRows(const PackTask& task) const {
    const std::size_t dim = static_cast<std::size_t>(task.headDim);
    const std::size_t pitch = paddedDim(task.headDim);
    const auto copy = [&](const float* from, float* to) {
        std::fill(std::copy_n(from, dim, to), to + pitch, 0.0F);
    };
    for (std::size_t key = task.first; key < std::min(task.last, task.keys); ++key) {
        copy(task.k + key * task.kStride, task.packedK + key * pitch);
        copy(task.v + key * task.vStride, task.packedV + key * pitch);
    }
}

void PackedKeys::pack(std::size_t task) {
    if (m_table != nullptr)
        m_table->packKeys(share(task));
    else
        copyRows(share(task));
}

void PackedKeys::describe(std::size_t head, BlockTask& task) const {
    if (m_heads == 0)
        return;
    const float* keys = m_keys.data() + (head - m_first) * m_keySize;
    const float* values = m_values.data() + (head - m_first) * m_valueSize;
    if (m_table != nullptr) {
        task.packedK = keys;
        task.packedV = values;
        return;
    }
    task.k = keys;
    task.v = values;
    task.kStride = task.vStride = paddedDim(task.headDim);
}

} // namespace fovea::kernels
