#pragma once
#include "core/base/Matrix.h"
#include <cmath>
#include <vector>

namespace fovea {

/// sign * length of each of the first `count` rows, summed in double.
[[nodiscard]] inline std::vector<float> rowNorms(ConstMatrixView x, std::size_t count, float sign) {
    std::vector<float> norms(count);
    for (std::size_t j = 0; j < count; ++j) {
        const float* row = x.row(j);
        double sum = 0;
        for (std::size_t d = 0; d < x.cols; ++d)
            sum += static_cast<double>(row[d]) * static_cast<double>(row[d]);
        norms[j] = sign * static_cast<float>(std::sqrt(sum));
    }
    return norms;
}

} // namespace fovea
