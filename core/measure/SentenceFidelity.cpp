#include "core/measure/SentenceFidelity.h"
#include "core/base/Check.h"
#include <algorithm>
#include <cmath>
#include <span>

namespace fovea {

namespace {

template <class Number>
double cosineOf(std::span<const Number> a, std::span<const Number> b) {
    double product = 0, x = 0, y = 0;
    for (std::size_t c = 0; c < a.size(); ++c) {
        product += static_cast<double>(a[c]) * static_cast<double>(b[c]);
        x += static_cast<double>(a[c]) * static_cast<double>(a[c]);
        y += static_cast<double>(b[c]) * static_cast<double>(b[c]);
    }
    if (std::equal(a.begin(), a.end(), b.begin()))
        return 1;
    return std::min(product / std::sqrt(x * y), 1.0);
}

/// Not scaled.
std::vector<double> pooled(ConstMatrixView hidden, SentencePooling pooling) {
    std::vector<double> sum(hidden.cols);
    const std::size_t rows = pooling == SentencePooling::First ? 1 : hidden.rows;
    for (std::size_t t = 0; t < rows; ++t)
        for (std::size_t c = 0; c < hidden.cols; ++c)
            sum[c] += static_cast<double>(hidden(t, c));
    for (double& x : sum)
        x /= static_cast<double>(rows);
    return sum;
}

} // namespace

std::vector<float> sentenceVector(ConstMatrixView hidden, SentencePooling pooling) {
    FOVEA_ASSERT(hidden.rows > 0);
    const std::vector<double> mean = pooled(hidden, pooling);
    double squares = 0;
    for (const double x : mean)
        squares += x * x;
    const double length = squares > 0 ? std::sqrt(squares) : 1;
    std::vector<float> vector;
    vector.reserve(mean.size());
    for (const double x : mean)
        vector.push_back(static_cast<float>(x / length));
    return vector;
}

SentenceFidelity compareSentences(ConstMatrixView full, ConstMatrixView hybrid, SentencePooling pooling) {
    FOVEA_ASSERT(full.rows == hybrid.rows && full.cols == hybrid.cols && full.rows > 0);
    SentenceFidelity result;
    result.tokenCosine = 0;
    result.tokens.reserve(full.rows);
    for (std::size_t t = 0; t < full.rows; ++t) {
        const double cosine =
            cosineOf(std::span(full.row(t), full.cols), std::span(hybrid.row(t), full.cols));
        result.tokens.push_back(static_cast<float>(cosine));
        result.tokenCosine += cosine / static_cast<double>(full.rows);
        if (t == 0 || cosine < result.worstCosine) {
            result.worstCosine = cosine;
            result.worstToken = static_cast<std::uint32_t>(t);
        }
    }
    const std::vector<double> a = pooled(full, pooling), b = pooled(hybrid, pooling);
    result.cosine = cosineOf(std::span<const double>(a), std::span<const double>(b));
    return result;
}

} // namespace fovea
