#pragma once
#include "core/base/Matrix.h"
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace fovea {

inline constexpr float kNoMass = -std::numeric_limits<float>::infinity();

/// ln(e^a + e^b). -inf means no mass. NaN if a or b is NaN.
[[nodiscard]] inline double logAdd(double a, double b) {
    if (std::isnan(a) || std::isnan(b))
        return a + b;
    const double most = std::max(a, b);
    if (!(most > -std::numeric_limits<double>::infinity()))
        return most;
    return most + std::log1p(std::exp(std::min(a, b) - most));
}

/// (o, lse) of one row becomes that of the softmax over both key sets, which must be disjoint: with L =
/// ln(e^La + e^Lb), o = e^(La-L) oa + e^(Lb-L) ob. Exact but for rounding.
inline void mergeRow(float* o, float& lse, const float* other, float otherLse, std::size_t dim) {
    if (otherLse == kNoMass)
        return;
    if (lse == kNoMass) {
        std::copy_n(other, dim, o);
        lse = otherLse;
        return;
    }
    const double both = logAdd(static_cast<double>(lse), static_cast<double>(otherLse));
    const auto mine = static_cast<float>(std::exp(static_cast<double>(lse) - both));
    const auto theirs = static_cast<float>(std::exp(static_cast<double>(otherLse) - both));
    for (std::size_t d = 0; d < dim; ++d)
        o[d] = mine * o[d] + theirs * other[d];
    lse = static_cast<float>(both);
}

/// The result of a far field for some rows, before it is combined with the exact part: a normalised output
/// and its log-sum-exp, per head. Row r is query first + r.
struct Branch {
    std::size_t first = 0;
    Matrix o;               ///< [rows x H*D]
    std::vector<float> lse; ///< [rows*H]; -inf: the far field is empty

    Branch(std::size_t firstQuery, std::size_t rows, std::size_t heads, std::size_t dim)
        : first(firstQuery), o(rows, heads * dim), lse(rows * heads, kNoMass) {}
};

} // namespace fovea
