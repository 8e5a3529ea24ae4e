#pragma once
#include "core/engine/Snapshot.h"
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace fovea {

/// The measures by which heads are compared.
enum class HeadMetric : std::uint8_t {
    KeptMass,
    OutputError,
    RowEntropy,
    SinkMass,
    LocalMass,
    KeysFor90,
    MeanDistance,
    PreviousShare,
    Picture, ///< no number but a small map of the head
};

struct HeadMetricSpec {
    HeadMetric metric;
    const char* id;         ///< "kept-mass": for commands and files; empty for Picture
    const char* name;       ///< "kept mass"
    const char* definition; ///< one sentence with unit and range
    bool ofPolicy;   ///< whether it changes with the policy (isolated results) or belongs to the full run
    bool leastFirst; ///< whether the smallest value is the one to look at first
};
[[nodiscard]] std::span<const HeadMetricSpec> headMetrics();
[[nodiscard]] const HeadMetricSpec& headMetric(HeadMetric metric);
/// By id; null for an unknown one.
[[nodiscard]] const HeadMetricSpec* findHeadMetric(std::string_view id);

/// The metric of one head; empty if the snapshot does not have it yet, and for HeadMetric::Picture.
[[nodiscard]] std::optional<double> headValue(const Snapshot& snapshot, HeadMetric metric, int layer,
                                              int head);

struct RankedHead {
    int layer = 0, head = 0;
    double value = 0;
    bool operator==(const RankedHead&) const = default;
};
/// The heads of a layers x heads table whose value is known, the most telling first (see leastFirst); ties by
/// layer, then head; a NaN comes last.
[[nodiscard]] std::vector<RankedHead> rankHeads(HeadMetric metric, int heads,
                                                const std::vector<std::optional<double>>& values);

} // namespace fovea
