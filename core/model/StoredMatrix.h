#pragma once
#include "core/base/Matrix.h"
#include "core/files/TensorType.h"
#include "core/model/RowProduct.h"
#include <functional>
#include <span>

namespace fovea {

/// One weight matrix [out x in] for products with a single row. It holds the file's codes and scales,
/// interleaved for 16 rows, in as many bytes as the file (the number of rows is rounded up to 16). BF16 is
/// widened to f32. Immutable.
class StoredMatrix {
public:
    StoredMatrix() = default;
    /// `rows`: the tensor's bytes, row after row. Row r of the tensor becomes row place(r) of the matrix.
    /// Throws std::bad_alloc.
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

/// One matrix to multiply with a row x: out [matrix->out()] = W x, or out += W x.
struct RowFactor {
    const StoredMatrix* matrix = nullptr;
    float* out = nullptr;
    bool accumulate = false;
};

/// Multiplies single rows of up to `columns` numbers. Activations stay f32 and weights are unpacked in
/// registers, so the result is the product with the dequantised weights up to the rounding of f32 sums (see
/// RowProductLoop). Not thread-safe; opens an OpenMP region. Same bits at any number of threads.
class RowMultiplier {
public:
    /// `loop` null: the fastest that this CPU supports. Throws std::bad_alloc.
    explicit RowMultiplier(std::size_t columns, int threads, RowProductLoop loop = nullptr);
    /// All factors are multiplied with the same x [in].
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
