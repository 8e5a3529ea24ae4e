#pragma once
#include "core/kernels/FarLoops.h"

namespace fovea::kernels {

/// FarLoops over the vectors of `V`. F is the compiler's vector type with kLanes floats. Included by one file
/// per instruction set.
template <class V>
struct FarTile {
    using F = typename V::F;
    static constexpr int kLanes = V::kLanes;
    static constexpr std::size_t kL = V::kLanes;

    static F load(const float* p) {
        F a;
        __builtin_memcpy(&a, p, sizeof(a));
        return a;
    }
    static void store(float* p, F a) { __builtin_memcpy(p, &a, sizeof(a)); }
    static F loadFirst(const float* p, std::size_t lanes) {
        F a{};
        __builtin_memcpy(&a, p, lanes * sizeof(float));
        return a;
    }

    /// Computes Rows x (Vectors vectors) of c at once, so that each b is read once for Rows rows.
    template <int Rows, int Vectors>
    static void micro(const float* a, std::size_t aRow, std::size_t aCol, const float* b, std::size_t bRow,
                      float* c, std::size_t cRow, std::size_t depth) {
        F sum[Rows][Vectors];
#pragma GCC unroll 8
        for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
            for (int v = 0; v < Vectors; ++v)
                sum[i][v] = load(c + static_cast<std::size_t>(i) * cRow + static_cast<std::size_t>(v) * kL);
        for (std::size_t k = 0; k < depth; ++k, a += aCol, b += bRow) {
            F x[Vectors];
#pragma GCC unroll 8
            for (int v = 0; v < Vectors; ++v)
                x[v] = load(b + static_cast<std::size_t>(v) * kL);
#pragma GCC unroll 8
            for (int i = 0; i < Rows; ++i) {
                const F y = a[static_cast<std::size_t>(i) * aRow] - F{}; // all lanes
#pragma GCC unroll 8
                for (int v = 0; v < Vectors; ++v)
                    sum[i][v] += x[v] * y;
            }
        }
#pragma GCC unroll 8
        for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
            for (int v = 0; v < Vectors; ++v)
                store(c + static_cast<std::size_t>(i) * cRow + static_cast<std::size_t>(v) * kL, sum[i][v]);
    }

    template <int Rows>
    static void strip(const float* a, std::size_t aRow, std::size_t aCol, const float* b, std::size_t bRow,
                      float* c, std::size_t cRow, std::size_t columns, std::size_t depth) {
        std::size_t n = 0;
        for (; n + 2 * kL <= columns; n += 2 * kL)
            micro<Rows, 2>(a, aRow, aCol, b + n, bRow, c + n, cRow, depth);
        for (; n + kL <= columns; n += kL)
            micro<Rows, 1>(a, aRow, aCol, b + n, bRow, c + n, cRow, depth);
        // A column must have the bits it has in the middle of a wider matrix, or rows taken one by one would
        // differ from a whole text: the last lanes go through vectors too, since a compiler may or may not
        // fuse the multiply and the add of a scalar loop.
        if (n < columns)
            lastLanes<Rows>(a, aRow, aCol, b + n, bRow, c + n, cRow, columns - n, depth);
    }

    /// Like micro, for fewer lanes than a vector has.
    template <int Rows>
    static void lastLanes(const float* a, std::size_t aRow, std::size_t aCol, const float* b,
                          std::size_t bRow, float* c, std::size_t cRow, std::size_t lanes,
                          std::size_t depth) {
        F sum[Rows];
        for (int i = 0; i < Rows; ++i)
            sum[i] = loadFirst(c + static_cast<std::size_t>(i) * cRow, lanes);
        for (std::size_t k = 0; k < depth; ++k, a += aCol, b += bRow) {
            const F x = loadFirst(b, lanes);
            for (int i = 0; i < Rows; ++i)
                sum[i] += x * (a[static_cast<std::size_t>(i) * aRow] - F{});
        }
        for (int i = 0; i < Rows; ++i)
            __builtin_memcpy(c + static_cast<std::size_t>(i) * cRow, &sum[i], lanes * sizeof(float));
    }

    static void multiplyAdd(const float* a, std::size_t aRow, std::size_t aCol, const float* b,
                            std::size_t bRow, float* c, std::size_t cRow, std::size_t rows,
                            std::size_t columns, std::size_t depth) {
        std::size_t i = 0;
        for (; i + 4 <= rows; i += 4)
            strip<4>(a + i * aRow, aRow, aCol, b, bRow, c + i * cRow, cRow, columns, depth);
        for (; i < rows; ++i)
            strip<1>(a + i * aRow, aRow, aCol, b, bRow, c + i * cRow, cRow, columns, depth);
    }

    static float dot(const float* a, const float* b, std::size_t n) {
        F sum{};
        std::size_t i = 0;
        for (; i + kL <= n; i += kL)
            sum += load(a + i) * load(b + i);
        float total = 0;
        for (int l = 0; l < kLanes; ++l)
            total += sum[l];
        for (; i < n; ++i)
            total += a[i] * b[i];
        return total;
    }

    static void addScaled(float factor, const float* x, float* y, std::size_t n) {
        std::size_t i = 0;
        for (; i + kL <= n; i += kL)
            store(y + i, load(y + i) + load(x + i) * factor);
        for (; i < n; ++i)
            y[i] += x[i] * factor;
    }

    static void addDifference(const float* plus, const float* minus, float factor, float* out,
                              std::size_t n) {
        if (minus == nullptr) {
            addScaled(factor, plus, out, n);
            return;
        }
        std::size_t i = 0;
        for (; i + kL <= n; i += kL)
            store(out + i, load(out + i) + (load(plus + i) - load(minus + i)) * factor);
        for (; i < n; ++i)
            out[i] += (plus[i] - minus[i]) * factor;
    }

    static constexpr FarLoops kTable{multiplyAdd, dot, addScaled, addDifference};
};

} // namespace fovea::kernels
