#include "core/model/Weights.h"
#include "core/base/Check.h"
#include "core/model/Dequantise.h"

namespace fovea {

void EmbeddingTable::look(std::size_t id, float* out) const {
    const auto& info = tensorTypeInfo(m_type);
    const std::size_t rowBytes = m_width / info.values * info.bytes;
    FOVEA_ASSERT((id + 1) * rowBytes <= m_bytes.size());
    dequantise(m_type, m_bytes.data() + id * rowBytes, m_width, out);
}

std::uint64_t StoredWeights::bytes() const {
    std::uint64_t sum = vocabulary.bytes();
    for (const StoredLayer& layer : layers)
        for (const StoredMatrix* m :
             {&layer.q, &layer.k, &layer.v, &layer.output, &layer.gate, &layer.up, &layer.down})
            sum += m->bytes();
    return sum;
}

std::span<const double> Weights::ropeFrequencies(int layer, std::size_t tokens) const {
    if (rotationOf.empty() || rotationOf[static_cast<std::size_t>(layer)] < 0)
        return {};
    const Rotation& rotation =
        rotations[static_cast<std::size_t>(rotationOf[static_cast<std::size_t>(layer)])];
    const bool isLong = ropeContext > 0 && tokens > ropeContext && !rotation.longFrequencies.empty();
    return isLong ? rotation.longFrequencies : rotation.frequencies;
}

} // namespace fovea
