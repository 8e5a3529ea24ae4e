// elu+1: Katharopoulos et al., Transformers are RNNs, 2020, 2006.16236. Positive and trigonometric orthogonal
// random features: Choromanski et al., Performers, 2020, 2009.14794; each block of D directions is
// orthogonalised and keeps its norms. Second-order Taylor: Arora et al., Based, 2024, 2402.18668; there with
// 16 trained features, here with the D channels of the head; the symmetric entries of x'x'^T are stored once
// (r = 1 + D + D(D+1)/2, with the same product). Softmax features: Zhang et al., Hedgehog, 2024, 2402.04347,
// with U = identity: untrained.
#include "core/kernels/FeatureMaps.h"
#include "core/base/SplitMix64.h"
#include <algorithm>
#include <cmath>
#include <numbers>

namespace fovea {

namespace {

constexpr std::size_t kPublishedFeatures = 256;
constexpr float kRootHalf = 0.70710678F;

double normal(std::uint64_t seed, int layer, std::size_t head, std::size_t row, std::size_t column) {
    const auto draw = [&](int which) { return splitMix64(seed, layer, head, row, column, which) >> 11; };
    const double a = (static_cast<double>(draw(0)) + 1) * 0x1p-53;
    const double b = static_cast<double>(draw(1)) * 0x1p-53;
    return std::sqrt(-2 * std::log(a)) * std::cos(2 * std::numbers::pi * b);
}

/// rows x dim normally distributed numbers. The rows of each block of dim rows are made orthogonal and keep
/// their norms.
std::vector<double> orthogonalRows(std::size_t rows, std::size_t dim, std::uint64_t seed, int layer,
                                   std::size_t head) {
    std::vector<double> w(rows * dim);
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < dim; ++c)
            w[r * dim + c] = normal(seed, layer, head, r, c);
    std::vector<double> norms(dim);
    for (std::size_t first = 0; first < rows; first += dim) {
        const std::size_t last = std::min(rows, first + dim);
        for (std::size_t r = first; r < last; ++r) {
            double* x = &w[r * dim];
            const auto length = [&] {
                double sum = 0;
                for (std::size_t c = 0; c < dim; ++c)
                    sum += x[c] * x[c];
                return std::sqrt(sum);
            };
            norms[r - first] = length();
            for (int again = 0; again < 2; ++again) // twice is enough (Kahan)
                for (std::size_t s = first; s < r; ++s) {
                    const double* y = &w[s * dim];
                    double dot = 0;
                    for (std::size_t c = 0; c < dim; ++c)
                        dot += x[c] * y[c];
                    for (std::size_t c = 0; c < dim; ++c)
                        x[c] -= dot * y[c];
                }
            const double left = length();
            for (std::size_t c = 0; c < dim; ++c)
                x[c] /= left;
        }
        for (std::size_t r = first; r < last; ++r)
            for (std::size_t c = 0; c < dim; ++c)
                w[r * dim + c] *= norms[r - first];
    }
    return w;
}

void softmaxOf(const float* x, std::size_t dim, float sign, float* out) {
    float most = sign * x[0], sum = 0;
    for (std::size_t d = 1; d < dim; ++d)
        most = std::max(most, sign * x[d]);
    for (std::size_t d = 0; d < dim; ++d)
        sum += out[d] = std::exp(sign * x[d] - most);
    for (std::size_t d = 0; d < dim; ++d)
        out[d] /= sum;
}

} // namespace

std::size_t featureCount(FeatureMap map, std::size_t dim, std::size_t randomFeatures) {
    if (randomFeatures == 0)
        randomFeatures = kPublishedFeatures;
    switch (map) {
    case FeatureMap::Elu1:
        return dim;
    case FeatureMap::Performer:
        return randomFeatures;
    case FeatureMap::Trig:
        return (randomFeatures + 1) / 2 * 2;
    case FeatureMap::Taylor2:
        return 1 + dim + dim * (dim + 1) / 2;
    case FeatureMap::Hedgehog:
        break;
    }
    return 2 * dim;
}

Features::Features(FeatureMap map, std::size_t dim, std::size_t randomFeatures, std::uint64_t seed, int layer,
                   std::size_t kvHead)
    : m_map(map), m_dim(dim), m_count(featureCount(map, dim, randomFeatures)) {
    if (map == FeatureMap::Performer)
        m_rows = m_count;
    else if (map == FeatureMap::Trig)
        m_rows = m_count / 2;
    if (m_rows == 0)
        return;
    const std::vector<double> rows = orthogonalRows(m_rows, dim, seed, layer, kvHead);
    m_transposed.resize(dim * m_rows);
    for (std::size_t r = 0; r < m_rows; ++r)
        for (std::size_t d = 0; d < dim; ++d)
            m_transposed[d * m_rows + r] = static_cast<float>(rows[r * dim + d]);
}

std::vector<float> Features::directions() const {
    std::vector<float> rows(m_transposed.size());
    for (std::size_t r = 0; r < m_rows; ++r)
        for (std::size_t d = 0; d < m_dim; ++d)
            rows[r * m_dim + d] = m_transposed[d * m_rows + r];
    return rows;
}

std::uint64_t Features::macs() const {
    if (m_map == FeatureMap::Taylor2)
        return m_dim * (m_dim + 1) / 2;
    return m_rows * m_dim;
}

void Features::of(const float* x, std::size_t stride, std::size_t rows, float scale,
                  const kernels::FarLoops& loops, float* out, float* exponent) const {
    const float root = std::sqrt(scale);
    std::vector<float> scaled(rows * m_dim);
    for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t d = 0; d < m_dim; ++d)
            scaled[i * m_dim + d] = x[i * stride + d] * root;
    std::vector<float> angles;
    if (m_rows > 0) {
        angles.assign(rows * m_rows, 0.0F);
        loops.multiplyAdd(scaled.data(), m_dim, 1, m_transposed.data(), m_rows, angles.data(), m_rows, rows,
                          m_rows, m_dim);
    }
    const float norm = 1 / std::sqrt(static_cast<float>(std::max<std::size_t>(m_rows, 1)));
    for (std::size_t i = 0; i < rows; ++i) {
        const float* v = &scaled[i * m_dim];
        float* phi = out + i * m_count;
        exponent[i] = 0;
        switch (m_map) {
        case FeatureMap::Elu1:
            for (std::size_t d = 0; d < m_dim; ++d)
                phi[d] = v[d] > 0 ? v[d] + 1 : std::exp(v[d]);
            break;
        case FeatureMap::Performer: {
            const float* u = &angles[i * m_rows];
            const float most = *std::max_element(u, u + m_rows);
            for (std::size_t r = 0; r < m_rows; ++r)
                phi[r] = std::exp(u[r] - most) * norm;
            exponent[i] = most - loops.dot(v, v, m_dim) / 2;
            break;
        }
        case FeatureMap::Trig:
            for (std::size_t r = 0; r < m_rows; ++r) {
                phi[r] = std::cos(angles[i * m_rows + r]) * norm;
                phi[m_rows + r] = std::sin(angles[i * m_rows + r]) * norm;
            }
            exponent[i] = loops.dot(v, v, m_dim) / 2;
            break;
        case FeatureMap::Taylor2: {
            phi[0] = 1;
            std::copy_n(v, m_dim, phi + 1);
            float* next = phi + 1 + m_dim;
            for (std::size_t a = 0; a < m_dim; ++a) {
                *next++ = v[a] * v[a] * kRootHalf;
                for (std::size_t b = a + 1; b < m_dim; ++b)
                    *next++ = v[a] * v[b];
            }
            break;
        }
        case FeatureMap::Hedgehog:
            softmaxOf(v, m_dim, 1, phi);
            softmaxOf(v, m_dim, -1, phi + m_dim);
            break;
        }
    }
}

double featureProduct(const Features& features, const float* q, const float* k, std::size_t dim,
                      float scale) {
    if (features.map() == FeatureMap::Taylor2) {
        double s = 0;
        for (std::size_t d = 0; d < dim; ++d)
            s += static_cast<double>(q[d]) * static_cast<double>(k[d]);
        s *= static_cast<double>(scale);
        return 1 + s + s * s / 2;
    }
    const kernels::FarLoops& loops = kernels::portableFarLoops();
    std::vector<float> a(features.count()), b(features.count());
    float ea = 0, eb = 0;
    features.of(q, dim, 1, scale, loops, a.data(), &ea);
    features.of(k, dim, 1, scale, loops, b.data(), &eb);
    double sum = 0;
    for (std::size_t r = 0; r < a.size(); ++r)
        sum += static_cast<double>(a[r]) * static_cast<double>(b[r]);
    return sum * std::exp(static_cast<double>(ea) + static_cast<double>(eb));
}

} // namespace fovea
