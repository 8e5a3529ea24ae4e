#include "core/model/Direction8.h"
#include <cmath>
#include <limits>
#include <omp.h>

namespace fovea::direction8 {

void readBack(const float* x, std::size_t count, float* to) {
    double squares = 0;
    for (std::size_t d = 0; d < count; ++d)
        squares += static_cast<double>(x[d]) * static_cast<double>(x[d]);
    const auto length = static_cast<float>(std::sqrt(squares));
    const float step = std::isfinite(length) ? length / 127 : std::numeric_limits<float>::quiet_NaN();
    const double factor = std::isfinite(length) && length > 0 ? 127 / static_cast<double>(length) : 0;
    for (std::size_t d = 0; d < count; ++d) // the code, -127 to 127, times the step
        to[d] = step *
                (factor > 0 ? static_cast<float>(std::nearbyint(factor * static_cast<double>(x[d]))) : 0.0F);
}

void readBackRows(ConstMatrixView x, int headDim, std::size_t first, std::size_t last, MatrixView to,
                  int threads) {
    const auto dim = static_cast<std::size_t>(headDim);
    FOVEA_ASSERT(to.rows >= last && to.cols == x.cols && x.cols % dim == 0);
    const int team = threads > 0 ? threads : omp_get_max_threads();
    const auto rows = static_cast<std::ptrdiff_t>(last - first);
#pragma omp parallel for schedule(static) num_threads(team) if (rows > 64)
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
        const std::size_t row = first + static_cast<std::size_t>(r);
        for (std::size_t at = 0; at < x.cols; at += dim)
            readBack(x.row(row) + at, dim, to.row(row) + at);
    }
}

} // namespace fovea::direction8
