#pragma once
#include "core/engine/HeadMetric.h"
#include "core/export/Documents.h"
#include <string>
#include <vector>

namespace fovea {

/// The document of `heads`: the metric and every ranked head with its value, best rank first.
[[nodiscard]] std::string headsJson(const DocumentHead& head, const HeadMetricSpec& metric,
                                    const std::vector<RankedHead>& heads);

} // namespace fovea
