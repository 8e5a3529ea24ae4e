#pragma once
#include "app/Outcome.h"
#include "core/engine/Snapshot.h"
#include <string>
#include <vector>

namespace fovea::app {

/// Can this build draw pictures? The core-only build cannot.
[[nodiscard]] bool drawsPictures();

/// The pictures of `analyze --out` of the snapshot's visible head, into an existing folder; no display is
/// needed. Their paths.
[[nodiscard]] Outcome<std::vector<std::string>> savePictures(const Snapshot& snapshot,
                                                             const std::string& folder);

/// One map, full beside hybrid, as PNG or SVG by the path's ending.
[[nodiscard]] Outcome<> saveMap(const Snapshot& snapshot, const std::string& path);

} // namespace fovea::app
