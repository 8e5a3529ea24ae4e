#pragma once
#include "core/base/Cancel.h"
#include "core/route/LayerPolicy.h"
#include "core/route/LayerRouting.h"
#include "core/route/RouteInput.h"

namespace fovea {

/// Upper bound in bytes of the choices of one layer: a ChosenRun for every key of every row and unit, at most
/// half the text per row on average. Pages take far less than this where few of their keys are read anyway,
/// because a page is then one run.
[[nodiscard]] std::uint64_t choiceBytes(const AttentionPolicy& policy, const ModelShape& shape,
                                        std::size_t tokens);

/// Ranks and chooses keys for rows `rows` of one layer and the heads of `set`, or with `onlyHead` >= 0 only
/// for the unit of that head. Candidates of a query are the keys up to it outside local and always. In a tie
/// the later token wins; a NaN score ranks last. The result has no unit if the set runs no router. Same bits
/// at any thread count. Opens an OpenMP region of `work.threads`. Errors: BadValue (something that the signal
/// needs is missing), Cancelled. Cost: SignalSpec::cost, plus a vectorised selection per row.
[[nodiscard]] Result<LayerRouting> route(const LayerPolicy& set, const ModelShape& shape,
                                         const RouteInput& input, RowRange rows, int onlyHead,
                                         const WorkContext& work);

/// Whether `route` ranks each row of the set on its own by scores of pairs, so that rows that lie apart cost
/// no more than their share. Otherwise something is prepared for the whole text: sets of keys, one score per
/// token, budgets that move, roles of queries.
[[nodiscard]] bool routesRowByRow(const LayerPolicy& set);
/// The multiply-adds that `route` counts for `rows`, without ranking anything. Only where routesRowByRow.
[[nodiscard]] std::uint64_t routerMacs(const LayerPolicy& set, const ModelShape& shape,
                                       const RouteInput& input, RowRange rows, Isa isa);

/// As above, for all heads of a layer under `policy`. Errors: those of layerPolicies too.
[[nodiscard]] Result<LayerRouting> route(const AttentionPolicy& policy, const ModelShape& shape,
                                         const RouteInput& input, RowRange rows, int onlyHead,
                                         const WorkContext& work);

/// The score [query+1] that the policy's signal gives to every key j <= query for `head`, as in the ranking
/// of that query. NaN for keys that are no candidates (local, always). BadValue for signals that only rank
/// queries. For views and tests, one row at a time.
[[nodiscard]] Result<std::vector<float>> signalScores(const AttentionPolicy& policy, const ModelShape& shape,
                                                      const RouteInput& input, int head, std::size_t query,
                                                      const WorkContext& work);

} // namespace fovea
