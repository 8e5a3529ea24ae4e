#include "core/model/Rope.h"
#include "core/base/Check.h"
#include <algorithm>
#include <cmath>

namespace fovea {

std::vector<double> ropeFrequencies(const LayerShape& layer, int rotary, std::span<const float> factors) {
    std::vector<double> frequencies(static_cast<std::size_t>(rotary) / 2);
    FOVEA_ASSERT(factors.empty() || factors.size() == frequencies.size());
    for (std::size_t m = 0; m < frequencies.size(); ++m) {
        const double exponent = -2.0 * static_cast<double>(m) / static_cast<double>(rotary);
        frequencies[m] = std::pow(layer.ropeBase, exponent) / layer.ropeFactor;
        if (!factors.empty())
            frequencies[m] /= static_cast<double>(factors[m]);
    }
    return frequencies;
}

void ropeRow(std::span<const double> frequencies, std::size_t position, float magnitude, float* cosines,
             float* sines) {
    const auto factor = static_cast<double>(magnitude);
    for (std::size_t m = 0; m < frequencies.size(); ++m) {
        const double angle = static_cast<double>(position) * frequencies[m];
        cosines[m] = static_cast<float>(factor * std::cos(angle));
        sines[m] = static_cast<float>(factor * std::sin(angle));
    }
}

RopeTable makeRopeTable(std::span<const double> frequencies, std::size_t tokens, int threads,
                        float magnitude) {
    RopeTable table{Matrix(tokens, frequencies.size()), Matrix(tokens, frequencies.size())};
    const auto count = static_cast<std::ptrdiff_t>(tokens);
    const MatrixView cosines = table.cosines.view();
    const MatrixView sines = table.sines.view();
#pragma omp parallel for num_threads(threads) schedule(static)
    for (std::ptrdiff_t p = 0; p < count; ++p) {
        const auto row = static_cast<std::size_t>(p);
        ropeRow(frequencies, row, magnitude, cosines.row(row), sines.row(row));
    }
    return table;
}

void RopeTurn::set(std::span<const double> frequencies, std::int64_t positions) {
    if (positions == m_positions)
        return;
    FOVEA_ASSERT(2 * frequencies.size() <= m_headDim);
    m_positions = positions;
    m_cosines.resize(frequencies.size());
    m_sines.resize(frequencies.size());
    for (std::size_t m = 0; m < frequencies.size(); ++m) {
        const double angle = static_cast<double>(positions) * frequencies[m];
        m_cosines[m] = static_cast<float>(std::cos(angle));
        m_sines[m] = static_cast<float>(std::sin(angle));
    }
}

void RopeTurn::apply(const float* x, float* to) const {
    if (m_positions == 0) {
        std::copy_n(x, m_headDim, to);
        return;
    }
    const std::size_t half = m_cosines.size();
    std::copy(x + 2 * half, x + m_headDim, to + 2 * half);
    for (std::size_t m = 0; m < half; ++m) {
        const float a = x[m], b = x[m + half];
        to[m] = a * m_cosines[m] - b * m_sines[m];
        to[m + half] = a * m_sines[m] + b * m_cosines[m];
    }
}

} // namespace fovea
