#pragma once
#include "core/route/Router.h"
#include <span>
#include <vector>

namespace fovea {

/// Whether the set's keys are chosen by a SetChooser and by nothing else: then what it prepares for a text
/// serves rows that lie apart.
[[nodiscard]] bool choosesSetsAlone(const LayerPolicy& set);

/// The choices of `route` over the whole text for the rows of `ranges` (ascending, apart) alone: one entry
/// for each range. The first entry has the router's multiply-adds over the whole text. Only where
/// choosesSetsAlone. Errors and threads: those of `route`. Cost: what the choosers prepare for the whole
/// text, and the choice of these rows.
[[nodiscard]] Result<std::vector<LayerRouting>> routeRanges(const LayerPolicy& set, const ModelShape& shape,
                                                            const RouteInput& input,
                                                            std::span<const RowRange> ranges,
                                                            const WorkContext& work);

} // namespace fovea
