#pragma once
#include "core/base/Matrix.h"
#include "core/model/Model.h"
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string_view>

namespace fovea {

/// The largest number of activation rows that one thread multiplies at a time. Block borders depend on the
/// length of the text, never on the number of threads, so results do not depend on threads either.
inline constexpr std::size_t kRowBlock = 128;

/// One weight matrix [out x in], unpacked and in the memory layout that the matrix library prefers.
/// Immutable.
class DenseWeight {
public:
    DenseWeight();
    ~DenseWeight();
    DenseWeight(DenseWeight&&) noexcept;
    DenseWeight& operator=(DenseWeight&&) noexcept;
    [[nodiscard]] std::size_t out() const { return m_out; }
    [[nodiscard]] std::size_t in() const { return m_in; }

private:
    friend class DenseBackend;
    friend class DenseCall;
    struct Data;
    std::unique_ptr<Data> m_data;
    std::size_t m_out = 0;
    std::size_t m_in = 0;
};

/// Working memory of one thread. Create it before a parallel region; one thread at a time may use it.
class DenseScratch {
public:
    DenseScratch();
    ~DenseScratch();
    DenseScratch(DenseScratch&&) noexcept;
    DenseScratch& operator=(DenseScratch&&) noexcept;

private:
    friend class DenseBackend;
    friend class DenseCall;
    struct Data;
    std::unique_ptr<Data> m_data;
};

/// A prepared product of `rows` rows with any weight of one shape: y [rows x out] = x [rows x in] * W^T, or y
/// += x * W^T. Runs on the calling thread only; the order of every sum is fixed. Thread-safe with one
/// DenseScratch per thread.
class DenseCall {
public:
    DenseCall();
    ~DenseCall();
    DenseCall(DenseCall&&) noexcept;
    DenseCall& operator=(DenseCall&&) noexcept;
    /// `x` and `y` are contiguous. `x` holds float in F32 and bf16 (std::uint16_t) in BF16.
    /// Returns false when the library fails: a program error, or too little memory. Never throws.
    [[nodiscard]] bool run(const DenseWeight& w, const void* x, float* y,
                           DenseScratch& scratch) const noexcept;

private:
    friend class DenseBackend;
    struct Data;
    std::unique_ptr<Data> m_data;
};

/// The multiplying library and the instruction set that it chose by itself: "oneDNN avx2", "Eigen".
[[nodiscard]] std::string_view denseLibrary();

/// The matrix library in one precision: oneDNN, or Eigen in builds without oneDNN (F32 only).
class DenseBackend {
public:
    explicit DenseBackend(Precision precision);
    ~DenseBackend();
    DenseBackend(const DenseBackend&) = delete;
    DenseBackend& operator=(const DenseBackend&) = delete;

    [[nodiscard]] Precision precision() const { return m_precision; }
    /// Throws std::bad_alloc.
    [[nodiscard]] DenseWeight pack(ConstMatrixView w) const;
    /// Prepares a product for weights with the shape and layout of `like`. Throws std::bad_alloc.
    [[nodiscard]] DenseCall call(const DenseWeight& like, std::size_t rows, bool accumulate) const;
    /// Working memory that suffices for each of `calls`. Throws std::bad_alloc.
    [[nodiscard]] DenseScratch scratch(std::initializer_list<const DenseCall*> calls) const;

private:
    struct Data;
    Precision m_precision;
    std::unique_ptr<Data> m_data;
};

} // namespace fovea
