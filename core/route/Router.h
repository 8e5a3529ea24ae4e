#pragma once
#include "core/base/Cancel.h"
#include "core/route/LayerPolicy.h"
#include "core/route/LayerRouting.h"
#include "core/route/RouteInput.h"

namespace fovea {

/// Bytes that one layer's choices may take: 10 for every key of every row and unit (key, score, rank), at
/// most half the text per row on average. A budget of many keys is what this is asked for: pages, prefill
/// patterns.
[[nodiscard]] std::uint64_t choiceBytes(const AttentionPolicy& policy, const ModelShape& shape,
                                        std::size_t tokens);

/// Ranks and chooses for rows `rows` of one layer, the heads of `set` (or only the unit that `onlyHead` >= 0
/// belongs to). Candidates of a query are the keys up to it outside local and always; ties go to the later
/// token; a NaN score ranks last. No unit where the set runs no router. Same bits at any thread count. Opens
/// an OpenMP region of `work.threads`. Errors: BadValue (what the signal needs is not at hand), Cancelled.
/// Cost: see SignalSpec::cost, plus a vectorised selection per row.
[[nodiscard]] Result<LayerRouting> route(const LayerPolicy& set, const ModelShape& shape,
                                         const RouteInput& input, RowRange rows, int onlyHead,
                                         const WorkContext& work);

/// As above, for all heads of a layer under `policy`. Errors: those of layerPolicies too.
[[nodiscard]] Result<LayerRouting> route(const AttentionPolicy& policy, const ModelShape& shape,
                                         const RouteInput& input, RowRange rows, int onlyHead,
                                         const WorkContext& work);

/// The number the policy's signal gives every key j <= query for `head`, as the ranking of that query sees
/// it; NaN where j is no candidate (local, always). [query+1]. For signals that rank queries only: BadValue.
/// Used by views and tests, one row at a time.
[[nodiscard]] Result<std::vector<float>> signalScores(const AttentionPolicy& policy, const ModelShape& shape,
                                                      const RouteInput& input, int head, std::size_t query,
                                                      const WorkContext& work);

} // namespace fovea
