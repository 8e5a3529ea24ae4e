#pragma once
#include "core/engine/Gates.h"
#include "core/engine/Ladder.h"
#include "core/engine/Snapshot.h"
#include "core/engine/StoredTier.h"
#include "core/engine/Sweep.h"
#include <string>
#include <vector>

namespace fovea {

// The large documents as JSON and CSV. Numbers are finite or null, in their shortest round-trip form, with
// '.' as decimal point.

/// What a report says of the routing record, which can have a million rows.
struct ReportRouting {
    bool rows = false; ///< "routing" is the list of rows; else it is their number, how many tokens each head
                       ///< reads for this reason, and where the rows are
    std::string file;  ///< where routingCsv is written, as the report names it; empty: nowhere
};

/// With arm A under a policy, "against" holds its figures and the differences of arm B from it. With a text
/// or model of its own, "other" holds its run, the alignment of the tokens, and the losses of what is
/// aligned. `ladder` null: the document says that it was not requested. `tier` null: the policy stores no
/// 8-bit directions.
[[nodiscard]] std::string reportJson(const Snapshot& snapshot, const std::vector<GateResult>& gates,
                                     int threads, const Ladder* ladder = nullptr,
                                     const StoredTier* tier = nullptr, const ReportRouting& routing = {});
/// The document of `check`: only the verdicts.
[[nodiscard]] std::string checkJson(const Snapshot& snapshot, const std::vector<GateResult>& gates,
                                    int threads);
/// One row per (layer, head, token, role). A choice of a head group appears once for each of its heads. The
/// rank is empty for a key that was not ranked, the threshold where no bar applied.
[[nodiscard]] std::string routingCsv(const RoutingRecord& record, const ModelShape& shape);
/// One row for each point that is done. SweepReport.h has the documents of a whole sweep.
[[nodiscard]] std::string sweepCsv(const std::vector<SweepPoint>& points);
/// Its lines, with a break at the end of each. `points` gives the columns.
[[nodiscard]] std::string sweepCsvHead(const std::vector<SweepPoint>& points);
[[nodiscard]] std::string sweepCsvRow(const SweepPoint& point);
/// Pairs of a rectangle of queries and keys, without those whose key comes later in a causal model: what
/// attentionCsv writes of it. Cost: one step a query.
[[nodiscard]] std::uint64_t pairsIn(const ModelShape& shape, RowRange queries, RowRange keys);
/// The most pairs that one table takes, about 400 MB.
inline constexpr std::size_t kMostCsvPairs = 4'000'000;
/// One layer and head's rows as CSV: query,key,token texts,p,phat,reason, and in each row what the numbers
/// are of: layer,head,regime and the first 8 hexadecimal digits of the SHA-256 of model, text and policy.
/// With arm A under a policy two columns more: against, its p^, and against_policy. `maxCells` is checked
/// first.
[[nodiscard]] Result<std::string> attentionCsv(const Snapshot& snapshot, int layer, int head,
                                               RowRange queries, RowRange keys, std::size_t maxCells);

} // namespace fovea
