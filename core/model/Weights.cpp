#include "core/model/Weights.h"
#include "core/base/Check.h"
#include "core/model/Dequantise.h"
#include <algorithm>
#include <new>
#include <omp.h>

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

std::shared_ptr<const LayerMatrices> Weights::matricesOf(const ModelShape& shape, int layer,
                                                         int threads) const {
    const auto l = static_cast<std::size_t>(layer);
    if (!matrices.empty())
        return matrices[l];
    return std::make_shared<const LayerMatrices>(raw[l].unpack(shape, backend, threads));
}

std::vector<DenseWeight> Weights::unpackVocabulary(std::size_t first, std::size_t count, int threads) const {
    std::vector<DenseWeight> strips(count);
    bool failed = false;
    const auto jobs = static_cast<std::ptrdiff_t>(count);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1) reduction(|| : failed)
    for (std::ptrdiff_t i = 0; i < jobs; ++i) {
        try {
            const std::size_t row = (first + static_cast<std::size_t>(i)) * kVocabularyStrip;
            Matrix strip(std::min(kVocabularyStrip, rawVocabulary.rows - row), rawVocabulary.columns);
            rawVocabulary.unpack(row, strip.view());
            strips[static_cast<std::size_t>(i)] = backend.pack(strip.view());
        } catch (const std::bad_alloc&) { // must not cross the region
            failed = true;
        }
    }
    if (failed)
        throw std::bad_alloc();
    return strips;
}

std::uint64_t Weights::bytes(const ModelShape& shape) const {
    std::uint64_t sum = embedding.bytes() + (stored ? stored->bytes() : 0);
    if (raw.empty())
        return sum + weightBytes(shape, backend.precision());
    sum += rawVocabulary.bytes.size();
    for (const RawLayer& layer : raw)
        sum += layer.bytes();
    return sum;
}

bool Weights::changesRotation(std::size_t shorter, std::size_t longer) const {
    return shorter > 0 && shorter <= ropeContext && longer > ropeContext &&
           std::any_of(rotations.begin(), rotations.end(),
                       [](const Rotation& rotation) { return !rotation.longFrequencies.empty(); });
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
