#pragma once
#include "core/base/Matrix.h"
#include <algorithm>
#include <cstdint>
#include <span>

namespace fovea {

/// The given rows of a matrix, in that order: the residual stream of the tokens that a full run keeps, and of
/// the same tokens in a hybrid run. Throws std::bad_alloc.
[[nodiscard]] inline Matrix rowsOf(ConstMatrixView in, std::span<const std::uint32_t> rows) {
    Matrix out(rows.size(), in.cols);
    for (std::size_t r = 0; r < rows.size(); ++r)
        std::copy_n(in.row(rows[r]), in.cols, out.view().row(r));
    return out;
}

} // namespace fovea
