#pragma once
#include "core/base/Matrix.h"
#include "core/model/Model.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

// Tolerances and differences used by the gates. A number that is not finite counts as an infinite difference.
namespace fovea {

/// Twice the largest error of the kernel, relative to max |o|: 5e-6 in f32, 5e-3 in bf16.
[[nodiscard]] inline double kernelTolerance(Precision precision) {
    return precision == Precision::BF16 ? 1e-2 : 1e-5;
}
/// Relative to the largest hidden value. Allows for rounding over 30 layers and for a near tie in the router
/// that rounding decides. A token that really is seen too early changes its neighbours by a tenth or more.
inline constexpr double kRoundingTolerance = 1e-3;

[[nodiscard]] inline double worseOf(double most, double x) {
    return std::isfinite(x) ? std::max(most, std::abs(x)) : std::numeric_limits<double>::infinity();
}

/// Largest |x|; infinite when any value is not finite.
[[nodiscard]] inline double largest(ConstMatrixView x) {
    double most = 0;
    for (std::size_t r = 0; r < x.rows; ++r)
        for (std::size_t c = 0; c < x.cols; ++c)
            most = worseOf(most, static_cast<double>(x(r, c)));
    return most;
}

/// Largest |a - b| over rows [first, last); infinite when any difference is not finite.
[[nodiscard]] inline double largestDifference(ConstMatrixView a, ConstMatrixView b, std::size_t first,
                                              std::size_t last) {
    double most = 0;
    for (std::size_t r = first; r < last; ++r)
        for (std::size_t c = 0; c < a.cols; ++c)
            most = worseOf(most, static_cast<double>(a(r, c)) - static_cast<double>(b(r, c)));
    return most;
}

[[nodiscard]] inline std::string digits(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.4g", value);
    return text.data();
}

} // namespace fovea
