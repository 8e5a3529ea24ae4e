#pragma once
#include "core/model/ModelShape.h"
#include "core/route/LayerRouting.h"
#include <string>
#include <string_view>

namespace fovea {

/// The heading of the expanded routing record, which has one row per choice.
[[nodiscard]] std::string_view routingChoicesHeader();

/// One layer's choices as CSV rows, by head, query and key. In query role `query` is the token itself. The
/// rank is empty for a key that was not ranked, the threshold where no bar applied. A
/// choice of a head group stands once for each of its heads. There can be tens of millions of rows: write
/// them layer by layer.
[[nodiscard]] std::string routingChoicesCsv(const LayerRouting& routing, const ModelShape& shape);

} // namespace fovea
