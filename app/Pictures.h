#pragma once
#include "app/Outcome.h"
#include "core/engine/Snapshot.h"
#include <string>
#include <vector>

namespace fovea::app {

/// Whether this build can draw pictures. The core-only build cannot.
[[nodiscard]] bool drawsPictures();

/// Writes the pictures of `analyze --out` for the snapshot's visible head into an existing folder. No display
/// is needed. Returns their paths.
[[nodiscard]] Outcome<std::vector<std::string>> savePictures(const Snapshot& snapshot,
                                                             const std::string& folder);

/// Writes one map, full beside hybrid, as PNG, SVG or PDF depending on the extension of the path.
[[nodiscard]] Outcome<> saveMap(const Snapshot& snapshot, const std::string& path);

/// Writes the HTML report of a finished run, with the maps of its visible head.
[[nodiscard]] Outcome<> saveReport(const Snapshot& snapshot, const std::string& path);

} // namespace fovea::app
