#pragma once
#include <cstddef>

namespace fovea {

/// How many cases were right. Where a case is a share of right answers, that share counts.
struct ProbeScore {
    double right = 0;
    std::size_t cases = 0;

    void add(double share) {
        right += share;
        ++cases;
    }
    [[nodiscard]] double accuracy() const; ///< 0 without a case
    bool operator==(const ProbeScore&) const = default;
};

/// The 95 % interval of the accuracy (Wilson, "Probable inference, the law of succession, and statistical
/// inference", 1927). Without a case: 0 to 1.
struct ProbeInterval {
    double low = 0, high = 1;
};
[[nodiscard]] ProbeInterval wilson(const ProbeScore& score);

} // namespace fovea
