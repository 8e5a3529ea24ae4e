#pragma once
#include "core/base/Matrix.h"
#include "core/files/TensorType.h"
#include "core/model/Dense.h"
#include "core/model/ModelShape.h"
#include <cstddef>

namespace fovea {

/// One matrix [rows x columns] in the encoding of its file, row after row. Immutable; thread-safe.
struct RawMatrix {
    TensorType type = TensorType::F32;
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::size_t pairsOf = 0; ///< D: inside a head rows come in pairs (Convention::GgufRowPairs); 0: in order
    AlignedBuffer<std::byte> bytes;

    /// Where stored row `r` belongs.
    [[nodiscard]] std::size_t placeOf(std::size_t r) const {
        return pairsOf == 0 ? r : r / pairsOf * pairsOf + r % 2 * (pairsOf / 2) + r % pairsOf / 2;
    }
    /// Unpacks stored rows [first, first + to.rows) into `to` [.. x columns], each to its place counted from
    /// `first`. With pairs, `first` is 0 and all rows are unpacked.
    void unpack(std::size_t first, MatrixView to) const;
};

/// The matrices of a layer, unpacked.
struct LayerMatrices {
    DenseWeight qkv;    ///< [(H+2G)*D x M]: q rows, then k, then v; q and k in half-split order
    DenseWeight output; ///< [M x H*D]
    DenseWeight gateUp; ///< [2F x M]: gate rows, then up; [F x M] without a gate
    DenseWeight down;   ///< [M x F]
};

/// The matrices of a layer as the file stores them, for models whose unpacked weights would not fit.
struct RawLayer {
    RawMatrix q, k, v, output, gate, up, down;

    /// The same products as with matrices that were unpacked on loading, bit for bit. Opens an OpenMP region
    /// of `threads`. Cost: each weight is unpacked and packed once, some 2 ns each. Throws std::bad_alloc.
    [[nodiscard]] LayerMatrices unpack(const ModelShape& shape, const DenseBackend& backend,
                                       int threads) const;
    [[nodiscard]] DenseWeight unpackOutput(const DenseBackend& backend) const;
    [[nodiscard]] std::size_t bytes() const;
};

} // namespace fovea
