#pragma once
#include "core/model/Forward.h"
#include "core/model/TokenPass.h"
#include <cmath>
#include <memory>
#include <vector>

namespace fovea::test {

/// One query of one head in double, as plain as it can be said: `out` [D] from keys and values [T x G*D].
inline void plainRow(const ModelShape& shape, int layer, int head, std::size_t i, const float* q,
                     ConstMatrixView keys, ConstMatrixView values, float* o) {
    const auto dim = static_cast<std::size_t>(shape.headDim);
    const std::size_t keyHead = static_cast<std::size_t>(shape.kvHeadOf(head)) * dim;
    const LayerShape& facts = shape.layer(layer);
    const double scale = facts.attentionScale != 0 ? static_cast<double>(facts.attentionScale)
                                                   : 1.0 / std::sqrt(static_cast<double>(dim));
    const auto cap = static_cast<double>(facts.softCap);
    const std::size_t last = shape.causal ? i + 1 : keys.rows;
    const auto window = static_cast<std::size_t>(facts.window);
    const std::size_t first = window > 0 && i + 1 > window ? i + 1 - window : 0;
    std::vector<double> p(last - first);
    double most = -1e300;
    for (std::size_t j = first; j < last; ++j) {
        double& s = p[j - first];
        for (std::size_t c = 0; c < dim; ++c)
            s += static_cast<double>(q[c]) * static_cast<double>(keys.row(j)[keyHead + c]);
        s *= scale;
        if (cap != 0)
            s = cap * std::tanh(s / cap);
        most = std::max(most, s);
    }
    double sum = 0;
    for (double& x : p)
        sum += x = std::exp(x - most);
    std::vector<double> out(dim);
    for (std::size_t j = first; j < last; ++j)
        for (std::size_t c = 0; c < dim; ++c)
            out[c] += p[j - first] / sum * static_cast<double>(values.row(j)[keyHead + c]);
    for (std::size_t c = 0; c < dim; ++c)
        o[c] = static_cast<float>(out[c]);
}

/// The attention that a model was trained with (native windows, soft-caps, scales, direction), in double: the
/// forward pass's tests rely on no kernel.
inline Attend plainAttend(const ModelShape& shape) {
    return [shape](const LayerInput& in, MatrixView o) -> Result<> {
        const auto dim = static_cast<std::size_t>(shape.headDim);
        const auto tokens = static_cast<int>(in.q.rows);
#pragma omp parallel for collapse(2) schedule(dynamic, 16)
        for (int head = 0; head < shape.heads; ++head)
            for (int i = 0; i < tokens; ++i) {
                const auto row = static_cast<std::size_t>(i), at = static_cast<std::size_t>(head) * dim;
                plainRow(shape, in.layer, head, row, in.q.row(row) + at, in.k, in.v, o.row(row) + at);
            }
        return {};
    };
}

/// The same for one token after another. Keeps every key and value.
inline AttendToken plainAttendToken(const ModelShape& shape) {
    struct Kept {
        std::vector<float> keys, values;
    };
    auto kept = std::make_shared<std::vector<Kept>>(static_cast<std::size_t>(shape.layers));
    return [shape, kept](const TokenInput& in, std::span<float> o) -> Result<> {
        Kept& layer = (*kept)[static_cast<std::size_t>(in.layer)];
        layer.keys.insert(layer.keys.end(), in.k.begin(), in.k.end());
        layer.values.insert(layer.values.end(), in.v.begin(), in.v.end());
        const ConstMatrixView keys{layer.keys.data(), in.token + 1, in.k.size()};
        const ConstMatrixView values{layer.values.data(), in.token + 1, in.v.size()};
        const auto dim = static_cast<std::size_t>(shape.headDim);
        for (int head = 0; head < shape.heads; ++head) {
            const std::size_t at = static_cast<std::size_t>(head) * dim;
            plainRow(shape, in.layer, head, in.token, in.q.data() + at, keys, values, o.data() + at);
        }
        return {};
    };
}

} // namespace fovea::test
