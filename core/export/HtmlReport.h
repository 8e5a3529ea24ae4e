#pragma once
#include "core/engine/Snapshot.h"
#include <string>
#include <vector>

namespace fovea {

/// A picture inside the report: an SVG document, and a sentence under it.
struct ReportPicture {
    std::string svg;
    std::string caption;
};

/// Longer texts are cut in the report, which says so: each token is an element of its own.
inline constexpr std::size_t kMostReportTokens = 16'384;

/// One HTML file of a finished run that opens offline: no script, no link, nothing loaded from elsewhere. It
/// holds what was run, the figures of both arms with their kinds, the pictures, the text tinted by the loss
/// that the hybrid adds at each token, the positions that lost most, the layers, the tokens that were routed
/// most often, the policy as a command line and as JSON, and the provenance. All text of the file or the user
/// is escaped. Needs `isolated` and `propagated`. Errors: BadValue where they are missing. Thread-safe.
/// Throws std::bad_alloc.
[[nodiscard]] Result<std::string> reportHtml(const Snapshot& snapshot,
                                             const std::vector<ReportPicture>& pictures);

} // namespace fovea
