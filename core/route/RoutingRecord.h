#pragma once
#include "core/route/Router.h"
#include <cstdint>
#include <functional>
#include <span>
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

/// Adds one layer's choices to the record. A unit that all heads share gives a row per key-value head.
void appendRouting(RoutingRecord& record, const LayerRouting& routing, const ModelShape& shape);

/// One choice of one query: the expanded form of a RoutingRow. In query role `query` equals `token`; a set
/// that was chosen once for the text is expanded to the queries that read it.
struct RoutingChoice {
    std::int32_t layer = 0;
    std::int32_t head = 0;       ///< first head of the group when a group chose as one
    std::int32_t headGroup = -1; ///< key-value head when a group chose as one, else -1
    std::uint32_t query = 0;
    std::uint32_t token = 0;
    Role role = Role::Keys;
    float score = 0;
    float threshold = 0;
    std::uint32_t rank = 0;
    std::uint32_t budget = 0;
};

/// Calls `visit` for every choice of a layer, by head, then role, query and token. Never inside an OpenMP
/// region.
void forEachChoice(const LayerRouting& routing, const ModelShape& shape,
                   const std::function<void(const RoutingChoice&)>& visit);

/// Rebuilds a layer's choices without running a router: makePlan then gives the plan of the run that was
/// recorded. `choices` may stand in any order; those of other layers are passed over. Rows without a choice
/// have budget 0 and no threshold. Errors: BadValue (a head, query or token that does not exist, a key after
/// its query, a choice given twice, heads that choose both alone and as a group).
[[nodiscard]] Result<LayerRouting> replayRouting(std::span<const RoutingChoice> choices,
                                                 const ModelShape& shape, int layer, RowRange rows);

} // namespace fovea
