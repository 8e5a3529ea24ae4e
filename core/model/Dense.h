#pragma once
#include "core/base/Matrix.h"
#include "core/model/Model.h"
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string_view>

namespace fovea {

/// Most rows of activations that one thread multiplies at a time. Blocks are cut by the text's length, never
/// by the number of threads, so results do not depend on it.
inline constexpr std::size_t kRowBlock = 128;

/// One weight matrix [out x in], unpacked and laid out as the multiplying library likes it. Immutable.
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

/// What one thread needs besides its operands. Made before a parallel region, used by one thread at a time.
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

/// The product of `rows` rows with any weight of one shape, prepared: y [rows x out] = x [rows x in] * W^T,
/// or += . Runs on the calling thread alone; the order of every sum is fixed. Thread-safe with one scratch
/// per thread.
class DenseCall {
public:
    DenseCall();
    ~DenseCall();
    DenseCall(DenseCall&&) noexcept;
    DenseCall& operator=(DenseCall&&) noexcept;
    /// `x` and `y` are packed; `x` holds float in F32, bf16 (std::uint16_t) in BF16.
    /// False when the library fails, which is our own fault or a lack of memory. Throws nothing.
    [[nodiscard]] bool run(const DenseWeight& w, const void* x, float* y,
                           DenseScratch& scratch) const noexcept;

private:
    friend class DenseBackend;
    struct Data;
    std::unique_ptr<Data> m_data;
};

/// The multiplying library and the instruction set that it chose by itself: "oneDNN avx2", "Eigen".
[[nodiscard]] std::string_view denseLibrary();

/// The multiplying library in one precision: oneDNN, or Eigen in builds without it (F32 only).
class DenseBackend {
public:
    explicit DenseBackend(Precision precision);
    ~DenseBackend();
    DenseBackend(const DenseBackend&) = delete;
    DenseBackend& operator=(const DenseBackend&) = delete;

    [[nodiscard]] Precision precision() const { return m_precision; }
    /// Throws std::bad_alloc.
    [[nodiscard]] DenseWeight pack(ConstMatrixView w) const;
    /// `like` gives shape and layout. Throws std::bad_alloc.
    [[nodiscard]] DenseCall call(const DenseWeight& like, std::size_t rows, bool accumulate) const;
    /// Enough for all of `calls`. Throws std::bad_alloc.
    [[nodiscard]] DenseScratch scratch(std::initializer_list<const DenseCall*> calls) const;

private:
    struct Data;
    Precision m_precision;
    std::unique_ptr<Data> m_data;
};

} // namespace fovea
