#include "core/tune/RowSample.h"
#include "core/base/Check.h"
#include <algorithm>
#include <cmath>

namespace fovea {

namespace {

constexpr std::size_t kNeighbours = 4; // the router ranks four queries at a time

} // namespace

std::size_t RowSample::rows() const {
    std::size_t sum = 0;
    for (const RowRange& range : ranges)
        sum += range.last - range.first;
    return sum;
}

RowSample sampleRows(std::size_t tokens, std::size_t count) {
    FOVEA_ASSERT(count > 0);
    RowSample sample;
    if (tokens <= count) {
        if (tokens > 0) {
            sample.ranges.push_back({0, tokens});
            sample.weight.push_back(1);
        }
        return sample;
    }
    // The share x of the text lies before the share x + x^2 of the ranges, over 2: three times as many of
    // them at the end as at the beginning.
    const std::size_t parts = std::max<std::size_t>(1, count / kNeighbours);
    const auto edge = [&](std::size_t n) {
        const double x = (std::sqrt(1 + 8 * static_cast<double>(n) / static_cast<double>(parts)) - 1) / 2;
        return n == parts ? tokens : static_cast<std::size_t>(x * static_cast<double>(tokens));
    };
    for (std::size_t n = 0; n < parts; ++n) {
        const std::size_t begin = edge(n), end = edge(n + 1);
        if (begin == end)
            continue;
        const std::size_t rows = std::min(kNeighbours, end - begin);
        const std::size_t first = begin + (end - begin - rows) / 2;
        sample.ranges.push_back({first, first + rows});
        sample.weight.push_back(static_cast<double>(end - begin) / static_cast<double>(rows));
    }
    return sample;
}

} // namespace fovea
