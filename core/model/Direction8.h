#pragma once
#include "core/base/Matrix.h"
#include <cstddef>

namespace fovea {

/// A vector stored as length and direction: |x| in f32 and round(127 x / |x|) with 8 bits per channel,
/// rounded to nearest even. The value read back differs by at most |x| / 254 per channel. A two-tier
/// key-value cache (routed.store direction8) keeps its older tokens in this form.
namespace direction8 {
/// Rounds `x` to this form and reads it back into `to`. If |x| is not finite, all of `to` is NaN.
void readBack(const float* x, std::size_t count, float* to);
/// Does the same for rows [first, last) of `x` [T x G*headDim] and writes the rows of `to`. Each head of a
/// row is a vector of its own. Opens an OpenMP region of `threads`.
void readBackRows(ConstMatrixView x, int headDim, std::size_t first, std::size_t last, MatrixView to,
                  int threads);
/// Bytes of one stored vector.
[[nodiscard]] constexpr std::size_t bytesOf(std::size_t headDim) {
    return headDim + sizeof(float);
}
} // namespace direction8

} // namespace fovea
