#pragma once
#include "core/export/TuneReport.h"
#include <string>

namespace fovea::app {

/// The whole answer of `tune` as text: how well predictions held, the measured points, the predicted front,
/// the best policy with held-out figures and controls, and what else was asked for.
[[nodiscard]] std::string tuneTable(const TuneReport& report);

} // namespace fovea::app
