#pragma once
#include "core/measure/RowFacts.h"
#include "core/route/RouteInput.h"
#include "core/route/RoutingRecord.h"
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

/// One pair of the token that is asked about: what it reads, or who reads it.
struct ReadLine {
    std::size_t query = 0, key = 0;
    float full = 0;              ///< p
    std::optional<float> hybrid; ///< p^; empty: not run for this row yet
    ReadKind kind = ReadKind::NotRun;
    RouterFacts router;           ///< where a router ranks for the head
    std::optional<float> against; ///< p^ of arm A; empty: not run for this row, or arm A is full attention
    bool operator==(const ReadLine&) const = default;
};

/// Where the router chose the token in one layer of a run.
struct RoutedInLayer {
    int layer = 0;
    int heads = 0;   ///< heads that routed it, a group counted with all its heads
    int ofHeads = 0; ///< H
    Role role = Role::Keys;
    float score = 0, threshold = 0; ///< of the head where it ranked best
    std::uint32_t rank = 0, budget = 0;
    std::uint32_t queries = 0; ///< most queries served in one head
    bool operator==(const RoutedInLayer&) const = default;
};

/// All that is known of one token in one head: what it reads, who reads it.
struct TokenReport {
    std::vector<ReadLine> reads;  ///< keys of the token as query, largest p first; ties: the later key
    std::vector<ReadLine> readBy; ///< queries of the token as key, largest p first; ties: the later query
    bool covered = false;         ///< the hybrid of the token's own row is known
    bool fullHead = false;    ///< the head's policy is full attention in this layer; false where not covered
    std::string signal;       ///< of the head's router; empty: none
    std::size_t keys = 0;     ///< that the model lets the token read: itself and all before it, or
                              ///< those inside its native window
    std::size_t keptKeys = 0; ///< that it reads exactly; keys that only a far field stands for do not count
    double keptMass = 0;      ///< full attention's probability on them; 0 where not covered
    std::size_t later = 0;    ///< queries that may read the token, itself included; of an encoder all
    std::size_t coveredReaders = 0;             ///< of those, how many rows are known
    std::size_t readers = 0;                    ///< of those, how many read it exactly
    std::size_t routedReaders = 0;              ///< of those, only because the router chose it
    std::optional<std::size_t> againstKeptKeys; ///< keptKeys of arm A; empty as ReadLine::against
};

/// `source` and `route` are one layer's; `token` is below T. At most `lines` of reads and of read by.
/// Cost: a row and a column of one head, a row more for each line of read by, and the router's scores of one
/// row for each of these rows where a signal ranks. Any thread.
[[nodiscard]] TokenReport tokenReport(const TileSource& source, const RouteInput& route,
                                      const ModelShape& shape, int head, std::size_t token,
                                      std::size_t lines);

/// The router's score of every candidate of a row, for RowFacts::router; empty where none ranks keys for it.
[[nodiscard]] std::vector<float> candidateScores(const TileSource& source, const RouteInput& route,
                                                 const ModelShape& shape, int head, const RowFacts& row);

/// The layers in which `record` has the token, by layer, then role. Cost: the record's length.
[[nodiscard]] std::vector<RoutedInLayer> routedLayers(const RoutingRecord& record, const ModelShape& shape,
                                                      std::size_t token);

} // namespace fovea
