#pragma once
#include "core/base/Matrix.h"
#include <cstddef>

namespace fovea {

/// A vector as length and direction: |x| in f32, and round(127 x / |x|) in 8 bits a channel, nearest even.
/// Reading it back is off by at most |x| / 254 a channel. The form of the seed block's cold tier
/// (mechanisms.md 2.2).
namespace direction8 {
/// What is read back of `x`. A length that is not finite reads back as NaN.
void readBack(const float* x, std::size_t count, float* to);
/// Rows [first, last) of `x` [T x G*headDim], each head of a row a vector of its own, into the rows of `to`.
/// Opens an OpenMP region of `threads`.
void readBackRows(ConstMatrixView x, int headDim, std::size_t first, std::size_t last, MatrixView to,
                  int threads);
/// Bytes of one stored vector.
[[nodiscard]] constexpr std::size_t bytesOf(std::size_t headDim) {
    return headDim + sizeof(float);
}
} // namespace direction8

} // namespace fovea
