#include "core/model/RawLayer.h"
#include "core/base/Check.h"
#include "core/model/Dequantise.h"
#include <new>
#include <omp.h>

namespace fovea {

namespace {

/// The matrices one below the other, unpacked and packed. Empty ones are left out.
DenseWeight together(std::initializer_list<const RawMatrix*> parts, const DenseBackend& backend) {
    std::size_t rows = 0;
    for (const RawMatrix* part : parts)
        rows += part->rows;
    Matrix all(rows, (*(parts.end() - 1))->columns);
    std::size_t first = 0;
    for (const RawMatrix* part : parts) {
        if (part->rows > 0)
            part->unpack(0, all.view().rowRange(first, part->rows));
        first += part->rows;
    }
    return backend.pack(all.view());
}

} // namespace

void RawMatrix::unpack(std::size_t first, MatrixView to) const {
    const auto& info = tensorTypeInfo(type);
    const std::size_t rowBytes = columns / info.values * info.bytes;
    FOVEA_ASSERT(to.cols == columns && (first + to.rows) * rowBytes <= bytes.size());
    FOVEA_ASSERT(pairsOf == 0 || (first == 0 && to.rows == rows));
    for (std::size_t r = 0; r < to.rows; ++r)
        dequantise(type, bytes.data() + (first + r) * rowBytes, columns, to.row(placeOf(r)));
}

LayerMatrices RawLayer::unpack(const ModelShape& shape, const DenseBackend& backend, int threads) const {
    FOVEA_ASSERT(shape.gated == (gate.rows > 0));
    LayerMatrices made;
    bool failed = false;
    // The largest first, so that two threads end together.
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1) reduction(|| : failed)
    for (int job = 0; job < 4; ++job) {
        try {
            if (job == 0)
                made.gateUp = together({&gate, &up}, backend);
            else if (job == 1)
                made.down = together({&down}, backend);
            else if (job == 2)
                made.qkv = together({&q, &k, &v}, backend);
            else
                made.output = together({&output}, backend);
        } catch (const std::bad_alloc&) { // must not cross the region
            failed = true;
        }
    }
    if (failed)
        throw std::bad_alloc();
    return made;
}

DenseWeight RawLayer::unpackOutput(const DenseBackend& backend) const {
    return together({&output}, backend);
}

std::size_t RawLayer::bytes() const {
    std::size_t sum = 0;
    for (const RawMatrix* m : {&q, &k, &v, &output, &gate, &up, &down})
        sum += m->bytes.size();
    return sum;
}

} // namespace fovea
