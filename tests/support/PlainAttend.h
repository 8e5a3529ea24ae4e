#pragma once
#include "core/model/Forward.h"
#include <cmath>
#include <vector>

namespace fovea::test {

/// Full causal attention in double, as plain as it can be said: the forward pass's tests rely on no kernel.
inline Attend plainAttend(const ModelShape& shape) {
    return [shape](const LayerInput& in, MatrixView o) -> Result<> {
        const auto dim = static_cast<std::size_t>(shape.headDim);
        const auto tokens = static_cast<int>(in.q.rows);
        const double scale = 1.0 / std::sqrt(static_cast<double>(dim));
#pragma omp parallel for collapse(2) schedule(dynamic, 16)
        for (int head = 0; head < shape.heads; ++head) {
            for (int i = 0; i < tokens; ++i) {
                const std::size_t keyHead = static_cast<std::size_t>(shape.kvHeadOf(head)) * dim;
                const float* q = in.q.row(static_cast<std::size_t>(i)) + static_cast<std::size_t>(head) * dim;
                std::vector<double> p(static_cast<std::size_t>(i) + 1);
                double most = -1e300;
                for (std::size_t j = 0; j < p.size(); ++j) {
                    const float* k = in.k.row(j) + keyHead;
                    for (std::size_t c = 0; c < dim; ++c)
                        p[j] += static_cast<double>(q[c]) * static_cast<double>(k[c]);
                    p[j] *= scale;
                    most = std::max(most, p[j]);
                }
                double sum = 0;
                for (double& x : p)
                    sum += x = std::exp(x - most);
                std::vector<double> out(dim);
                for (std::size_t j = 0; j < p.size(); ++j)
                    for (std::size_t c = 0; c < dim; ++c)
                        out[c] += p[j] / sum * static_cast<double>(in.v.row(j)[keyHead + c]);
                for (std::size_t c = 0; c < dim; ++c)
                    o.row(static_cast<std::size_t>(i))[static_cast<std::size_t>(head) * dim + c] =
                        static_cast<float>(out[c]);
            }
        }
        return {};
    };
}

} // namespace fovea::test
