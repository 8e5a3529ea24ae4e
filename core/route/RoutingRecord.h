#pragma once
#include "core/model/ModelShape.h"
#include "core/policy/AttentionPolicy.h"
#include "core/route/LayerRouting.h"
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// The signal name recorded for keys in random blocks.
inline constexpr std::string_view kRandomBlocksSignal = "random_blocks";

/// One row per routed (layer, head or key-value head, token, role), for a range of queries.
struct RoutingRow {
    std::int32_t layer = 0;
    std::int32_t head = 0;       ///< the first head of the group if all heads of a group chose together
    std::int32_t headGroup = -1; ///< the key-value head if all its heads chose together, otherwise -1
    std::uint32_t token = 0;
    Role role = Role::Keys;
    std::uint8_t signal = 0; ///< index into RoutingRecord::usedSignals
    float score = 0;         ///< the best score of the range, with its threshold, rank and budget
    float threshold = 0;     ///< NaN: no threshold applied
    std::uint32_t rank = 0;  ///< 1 = best; 0: the key was not ranked (kRankKept, kRankDrawn)
    std::uint32_t budget = 0;
    std::uint32_t queryFirst = 0;
    std::uint32_t queryLast = 0;
    std::uint32_t queries = 0; ///< number of queries between first and last that read it for this reason
    bool operator==(const RoutingRow&) const = default;
};

/// All routed tokens of a run. Sorted by layer, head, role, token.
struct RoutingRecord {
    std::vector<std::string> usedSignals; ///< each once, in order of appearance
    std::vector<RoutingRow> rows;
    bool operator==(const RoutingRecord&) const = default;
    [[nodiscard]] const std::string& signalOf(const RoutingRow& row) const { return usedSignals[row.signal]; }
    /// "group_dot, key_norm"; empty where nothing was routed.
    [[nodiscard]] std::string signalNames() const;
};

/// Adds the choices of one layer to the record. A unit gives one row for each key-value head whose heads it
/// contains completely, and one row for each of its other heads.
void appendRouting(RoutingRecord& record, const LayerRouting& routing, const ModelShape& shape);

/// One choice of one query: the expanded form of a RoutingRow. In query role `query` equals `token`; a set
/// that was chosen once for the text is expanded to the queries that read it.
struct RoutingChoice {
    std::int32_t layer = 0;
    std::int32_t head = 0;       ///< as RoutingRow
    std::int32_t headGroup = -1; ///< as RoutingRow
    std::uint32_t query = 0;
    std::uint32_t token = 0;
    Role role = Role::Keys;
    std::string_view signal; ///< valid during the visit
    float score = 0;
    float threshold = 0;    ///< NaN: no bar applied
    std::uint32_t rank = 0; ///< 1 = best; 0: the key was not ranked
    std::uint32_t budget = 0;
};

/// Calls `visit` for every choice of a layer, by head, then role, query and token. Never inside an OpenMP
/// region.
void forEachChoice(const LayerRouting& routing, const ModelShape& shape,
                   const std::function<void(const RoutingChoice&)>& visit);

} // namespace fovea
