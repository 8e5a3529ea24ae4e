#pragma once
#include "core/base/Matrix.h"
#include "core/files/TensorType.h"
#include "core/model/RowProduct.h"
#include <functional>
#include <span>

namespace fovea {

/// One weight matrix [out x in] for products with a single row: the file's codes and scales, 16 rows side by
/// side, in as many bytes as the file spends (rows filled up to 16). BF16 is widened to f32. Immutable.
class StoredMatrix {
public:
    StoredMatrix() = default;
    /// `rows`: the tensor's bytes, row after row; row r becomes row place(r). Throws std::bad_alloc.
    [[nodiscard]] static StoredMatrix pack(TensorType type, std::span<const std::byte> rows, std::size_t out,
                                           std::size_t in,
                                           const std::function<std::size_t(std::size_t)>& place);
    [[nodiscard]] std::size_t out() const { return m_out; }
    [[nodiscard]] std::size_t in() const { return m_in; }
    [[nodiscard]] std::size_t groups() const { return (m_out + kLaneRows - 1) / kLaneRows; }
    [[nodiscard]] std::size_t bytes() const { return m_data.size(); }
    [[nodiscard]] RowKind kind() const { return m_kind; }

private:
    friend class RowMultiplier;
    RowKind m_kind = RowKind::F32;
    std::size_t m_out = 0, m_in = 0, m_groupBytes = 0;
    AlignedBuffer<unsigned char> m_data;
};

/// One factor of a product with a row x: out [W.out()] = W x, or += W x.
struct RowFactor {
    const StoredMatrix* matrix = nullptr;
    float* out = nullptr;
    bool accumulate = false;
};

/// Multiplies single rows of up to `columns` numbers: activations stay f32 and weights are unpacked in
/// registers, so the result is the product with the dequantised weights up to rounding of f32 sums (see
/// RowTask). One thread at a time; opens an OpenMP region. Same bits at any thread count.
class RowMultiplier {
public:
    /// Throws std::bad_alloc. `loop` null: the best this CPU runs.
    explicit RowMultiplier(std::size_t columns, int threads, RowProductLoop loop = nullptr);
    /// All factors share x [in].
    void multiply(const float* x, std::span<const RowFactor> factors);

private:
    void prepare(const float* x, std::size_t columns, std::span<const RowFactor> factors);

    int m_threads;
    RowProductLoop m_loop;
    std::size_t m_columns;
    AlignedBuffer<float> m_nibbles, m_bytes, m_bits, m_pairs, m_sums;
    RowInput m_input;
};

} // namespace fovea
