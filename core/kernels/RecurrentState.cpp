// A gated recurrence: a GRU (Cho et al., 2014, 1406.1078) whose candidate is multiplied by the value and
// whose update gate uses the key without a matrix.
#include "core/kernels/RecurrentState.h"
#include "core/base/Check.h"
#include "core/base/Parallel.h"
#include "core/base/SplitMix64.h"
#include <cmath>
#include <omp.h>

namespace fovea {

namespace {

constexpr std::size_t kRows = 64; // tokens whose U k is computed at once

double sigmoidOf(double x) {
    return 1 / (1 + std::exp(-x));
}
float sigmoidOf(float x) {
    return 1 / (1 + std::exp(-x));
}

} // namespace

RecurrentWeights recurrentWeights(std::size_t dim, std::uint64_t seed, int layer, std::size_t head) {
    const float bound = 1 / std::sqrt(static_cast<float>(dim));
    const auto make = [&](int matrix) {
        std::vector<float> w(dim * dim);
        for (std::size_t n = 0; n < w.size(); ++n)
            w[n] = bound * (2 * unitFloat(splitMix64(seed, layer, head, matrix, n)) - 1);
        return w;
    };
    return {make(0), make(1), make(2), make(3), make(4)};
}

RecurrentState::RecurrentState(std::size_t heads, std::size_t dim, std::uint64_t seed, int layer)
    : m_dim(dim), m_h(heads * dim, 0.0F) {
    for (std::size_t h = 0; h < heads; ++h) {
        const RecurrentWeights w = recurrentWeights(dim, seed, layer, h);
        std::vector<float> columns;
        for (const std::vector<float>* matrix : {&w.wr, &w.wz, &w.wn, &w.ur, &w.un})
            for (std::size_t c = 0; c < dim; ++c)
                for (std::size_t r = 0; r < dim; ++r)
                    columns.push_back((*matrix)[r * dim + c]);
        m_transposed.push_back(std::move(columns));
    }
}

Result<> RecurrentState::run(const AttentionInput& in, std::size_t first,
                             std::span<const std::uint8_t> wanted, Isa isa, MatrixView out,
                             const WorkContext& work) {
    FOVEA_ASSERT(first >= m_rows && m_transposed.size() == static_cast<std::size_t>(in.heads));
    const int threads = work.threads > 0 ? work.threads : omp_get_max_threads();
    const kernels::FarLoops& loops = kernels::farLoopsOf(isa);
    parallelFor(m_transposed.size(), threads, [&](std::size_t h) {
        if (wanted[h] != 0)
            runHead(in, h, first, out, loops, work);
    });
    if (work.cancel.cancelled())
        return fail(ErrorCode::Cancelled, "cancelled");
    m_rows = first + out.rows;
    return {};
}

void RecurrentState::runHead(const AttentionInput& in, std::size_t head, std::size_t first, MatrixView out,
                             const kernels::FarLoops& loops, const WorkContext& work) {
    const std::size_t d = m_dim, last = first + out.rows;
    const std::size_t kvHead = head / static_cast<std::size_t>(in.heads / in.kvHeads);
    const float* w = m_transposed[head].data();
    float* h = &m_h[head * d];
    std::vector<float> fromKeys(kRows * 2 * d), gates(2 * d), candidate(d), gated(d);
    for (std::size_t begin = m_rows; begin < last; begin += kRows) {
        if (work.cancel.cancelled())
            return;
        const std::size_t count = std::min(kRows, last - begin);
        const float* keys = in.k.row(begin) + kvHead * d;
        std::fill(fromKeys.begin(), fromKeys.end(), 0.0F);
        for (std::size_t m = 0; m < 2; ++m)
            loops.multiplyAdd(keys, in.k.stride, 1, w + (3 + m) * d * d, d, &fromKeys[m * d], 2 * d, count, d,
                              d);
        for (std::size_t t = 0; t < count; ++t) {
            const float* k = in.k.row(begin + t) + kvHead * d;
            const float* v = in.v.row(begin + t) + kvHead * d;
            const float* mine = &fromKeys[t * 2 * d];
            std::fill(gates.begin(), gates.end(), 0.0F);
            loops.multiplyAdd(h, d, 1, w, d, gates.data(), d, 1, d, d);
            loops.multiplyAdd(h, d, 1, w + d * d, d, &gates[d], d, 1, d, d);
            for (std::size_t c = 0; c < d; ++c) {
                gated[c] = sigmoidOf(gates[c] + mine[c]) * h[c];
                candidate[c] = mine[d + c];
            }
            loops.multiplyAdd(gated.data(), d, 1, w + 2 * d * d, d, candidate.data(), d, 1, d, d);
            for (std::size_t c = 0; c < d; ++c) {
                const float z = sigmoidOf(gates[d + c] + k[c]);
                h[c] = (1 - z) * h[c] + z * (std::tanh(candidate[c]) * v[c]);
            }
            if (begin + t >= first)
                std::copy_n(h, d, out.row(begin + t - first) + head * d);
        }
    }
}

void recurrentOracle(const AttentionInput& in, std::uint64_t seed, int layer, MatrixView out) {
    const auto d = static_cast<std::size_t>(in.headDim);
    for (std::size_t head = 0; head < static_cast<std::size_t>(in.heads); ++head) {
        const RecurrentWeights w = recurrentWeights(static_cast<std::size_t>(in.headDim), seed, layer, head);
        const std::size_t kvHead = head / static_cast<std::size_t>(in.heads / in.kvHeads);
        std::vector<double> h(d), rh(d), next(d);
        for (std::size_t t = 0; t < out.rows; ++t) {
            const auto times = [&](const std::vector<float>& m, std::size_t row, auto&& x) {
                double sum = 0;
                for (std::size_t c = 0; c < d; ++c)
                    sum += static_cast<double>(m[row * d + c]) * static_cast<double>(x(c));
                return sum;
            };
            const auto key = [&](std::size_t c) { return in.k(t, kvHead * d + c); };
            for (std::size_t c = 0; c < d; ++c)
                rh[c] = sigmoidOf(times(w.wr, c, [&](std::size_t n) { return h[n]; }) + times(w.ur, c, key)) *
                        h[c];
            for (std::size_t c = 0; c < d; ++c) {
                const double z = sigmoidOf(times(w.wz, c, [&](std::size_t n) { return h[n]; }) +
                                           static_cast<double>(key(c)));
                const double n =
                    std::tanh(times(w.wn, c, [&](std::size_t m) { return rh[m]; }) + times(w.un, c, key));
                next[c] = (1 - z) * h[c] + z * n * static_cast<double>(in.v(t, kvHead * d + c));
            }
            h = next;
            for (std::size_t c = 0; c < d; ++c)
                out(t, head * d + c) = static_cast<float>(h[c]);
        }
    }
}

} // namespace fovea
