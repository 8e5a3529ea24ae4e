#pragma once
#include "core/base/Check.h"
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>

namespace fovea {

/// A view of a row-major matrix that somebody else owns. `stride` is the distance between two rows, in
/// elements.
template <class T>
struct BasicMatrixView {
    T* data = nullptr;
    std::size_t rows = 0;
    std::size_t cols = 0;
    std::size_t stride = 0;

    BasicMatrixView() = default;
    BasicMatrixView(T* d, std::size_t r, std::size_t c, std::size_t s)
        : data(d), rows(r), cols(c), stride(s) {}
    BasicMatrixView(T* d, std::size_t r, std::size_t c) : data(d), rows(r), cols(c), stride(c) {}
    /// A mutable view converts to a const view.
    template <class U>
    requires(std::is_same_v<T, const U>) BasicMatrixView(const BasicMatrixView<U>& o)
        : data(o.data), rows(o.rows), cols(o.cols), stride(o.stride) // NOLINT
    {}

    [[nodiscard]] T* row(std::size_t r) const {
        FOVEA_ASSERT(r < rows);
        return data + r * stride;
    }
    [[nodiscard]] T& operator()(std::size_t r, std::size_t c) const {
        FOVEA_ASSERT(r < rows && c < cols);
        return data[r * stride + c];
    }
    /// `count` columns from `first`, all rows. For example one head of a [T x H*D] matrix.
    [[nodiscard]] BasicMatrixView columns(std::size_t first, std::size_t count) const {
        FOVEA_ASSERT(first + count <= cols);
        return {data + first, rows, count, stride};
    }
    [[nodiscard]] BasicMatrixView rowRange(std::size_t first, std::size_t count) const {
        FOVEA_ASSERT(first + count <= rows);
        return {data + first * stride, count, cols, stride};
    }
};

using MatrixView = BasicMatrixView<float>;
using ConstMatrixView = BasicMatrixView<const float>;

/// Owned memory, aligned to 64 bytes and set to zero. Throws std::bad_alloc, which Engine::run turns into
/// OutOfMemory.
template <class T>
class AlignedBuffer {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    AlignedBuffer() = default;
    explicit AlignedBuffer(std::size_t count) : m_size(count) {
        if (count == 0)
            return;
        if (count > (static_cast<std::size_t>(-1) / 2) / sizeof(T))
            throw std::bad_alloc();
        const std::size_t bytes = (count * sizeof(T) + 63) / 64 * 64;
        m_data.reset(static_cast<T*>(std::aligned_alloc(64, bytes)));
        if (!m_data)
            throw std::bad_alloc();
        std::fill_n(reinterpret_cast<unsigned char*>(m_data.get()), bytes, static_cast<unsigned char>(0));
    }
    [[nodiscard]] T* data() { return m_data.get(); }
    [[nodiscard]] const T* data() const { return m_data.get(); }
    [[nodiscard]] std::size_t size() const { return m_size; }
    [[nodiscard]] T& operator[](std::size_t i) {
        FOVEA_ASSERT(i < m_size);
        return m_data[static_cast<std::ptrdiff_t>(i)];
    }
    [[nodiscard]] const T& operator[](std::size_t i) const {
        FOVEA_ASSERT(i < m_size);
        return m_data[static_cast<std::ptrdiff_t>(i)];
    }

private:
    struct Free {
        void operator()(T* p) const { std::free(p); }
    };
    std::unique_ptr<T[], Free> m_data;
    std::size_t m_size = 0;
};

/// An owned row-major matrix of floats, set to zero. Move-only; share it as shared_ptr<const Matrix>.
class Matrix {
public:
    Matrix() = default;
    Matrix(std::size_t rows, std::size_t cols) : m_data(rows * cols), m_rows(rows), m_cols(cols) {}
    [[nodiscard]] std::size_t rows() const { return m_rows; }
    [[nodiscard]] std::size_t cols() const { return m_cols; }
    [[nodiscard]] bool empty() const { return m_data.size() == 0; }
    [[nodiscard]] std::size_t bytes() const { return m_data.size() * sizeof(float); }
    [[nodiscard]] MatrixView view() { return {m_data.data(), m_rows, m_cols}; }
    [[nodiscard]] ConstMatrixView view() const { return {m_data.data(), m_rows, m_cols}; }

private:
    AlignedBuffer<float> m_data;
    std::size_t m_rows = 0;
    std::size_t m_cols = 0;
};

/// A matrix of its own with the same numbers. Throws std::bad_alloc.
[[nodiscard]] inline Matrix copyOf(ConstMatrixView in) {
    Matrix out(in.rows, in.cols);
    for (std::size_t r = 0; r < in.rows; ++r)
        std::copy_n(in.row(r), in.cols, out.view().row(r));
    return out;
}

} // namespace fovea
