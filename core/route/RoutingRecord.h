#pragma once
#include "core/route/Router.h"
#include <cstdint>
#include <string>
#include <vector>

namespace fovea {

/// One row per routed (layer, head or head group, token, role), as a run of queries (mechanisms.md section
/// 5).
struct RoutingRow {
    std::int32_t layer = 0;
    std::int32_t head = 0;       ///< first head of the group when a group chose as one
    std::int32_t headGroup = -1; ///< key-value head when a group chose as one, else -1
    std::uint32_t token = 0;
    Role role = Role::Keys;
    float score = 0; ///< best of the run, with its threshold and rank
    float threshold = 0;
    std::uint32_t rank = 0;
    std::uint32_t budget = 0;
    std::uint32_t queryFirst = 0;
    std::uint32_t queryLast = 0;
    std::uint32_t queries = 0; ///< how many queries between first and last read it for this reason
    bool operator==(const RoutingRow&) const = default;
};

/// All routed tokens of a run. Sorted by layer, head, role, token.
struct RoutingRecord {
    std::string signal;
    std::vector<RoutingRow> rows;
    bool operator==(const RoutingRecord&) const = default;
};

/// Adds one layer's choices to the record.
void appendRouting(RoutingRecord& record, const LayerRouting& routing, const ModelShape& shape);

} // namespace fovea
