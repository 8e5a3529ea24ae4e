#include "core/probe/ProbeScore.h"
#include <algorithm>
#include <cmath>

namespace fovea {

double ProbeScore::accuracy() const {
    return cases > 0 ? right / static_cast<double>(cases) : 0;
}

ProbeInterval wilson(const ProbeScore& score) {
    if (score.cases == 0)
        return {};
    constexpr double z = 1.959963984540054;
    const auto n = static_cast<double>(score.cases);
    const double p = score.accuracy();
    const double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

} // namespace fovea
