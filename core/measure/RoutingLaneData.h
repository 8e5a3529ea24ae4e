#pragma once
#include "core/route/Router.h"
#include "core/route/RoutingRecord.h"
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

/// What the router does in one head over T tokens, isolated regime: each token's score, who reads it as a
/// routed key, and what an oracle would have chosen. Exact; means and hit rates are over sampled queries.
struct RoutingLaneData {
    /// Why there are no lanes.
    enum class Empty : std::uint8_t {
        No,        ///< there are
        NotRouted, ///< the head's policy routes nothing
        FullHead,  ///< the head reads every key that the model lets it read in this layer
    };
    Empty empty = Empty::No; ///< the vectors below are empty unless No
    std::size_t tokens = 0;  ///< T
    int layer = 0, head = 0, layers = 0, heads = 0;
    std::string signal;               ///< that ranks for this head
    std::optional<std::size_t> query; ///< the one that scores and choices belong to; empty: sampled queries
    std::size_t sampledQueries = 0;   ///< queries behind the hit rates
    /// Queries behind the signal's mean: one where a score sums up the rows before it.
    std::size_t scoredQueries = 0;
    std::size_t sampledChoices = 0;     ///< keys that the router chose for them; 0: no hit rates
    std::vector<float> score;           ///< [T] signal; NaN where token j was no candidate
    float threshold = 0;                ///< bar of `query`; NaN: none
    std::vector<std::uint32_t> keyUses; ///< [T] queries of this head that read it as a routed key
    /// [T] kReadsAll or kReadsRouted where the router chose the token as a query, else 0; may be empty.
    std::vector<std::uint8_t> queryRole;
    std::vector<std::uint8_t> routed; ///< [T] of `query`: 1 the router chose it
    std::vector<std::uint8_t> oracle; ///< [T] of `query`: 1 the oracle would have chosen it
    /// [layers x T] heads that route the token as a key in the run of the record; empty without one.
    std::vector<std::uint16_t> headsPerCell;
    double oracleHits = 0; ///< share of the router's choices that the oracle makes too, 0..1
    double randomHits = 0; ///< share of the random router's choices that the oracle makes too, 0..1
};

/// One head of one layer, and what is at hand of it.
struct RoutingLaneInput {
    const AttentionPolicy* policy = nullptr; ///< what this head does: head policies and layers resolved
    const ModelShape* shape = nullptr;
    RouteInput route; ///< of the layer, whole text
    int head = 0;
    std::optional<std::size_t> query;       ///< below T
    const RoutedChoices* choices = nullptr; ///< this head's; null or not of every row: the router is run
    const RoutingRecord* record = nullptr;  ///< of the propagated run; null: none yet
};

/// Enough sampled rows for two digits of a mean, cheap at any length.
inline constexpr std::size_t kLaneRows = 64;

/// Cost: the router over the text unless `choices` are given, and for at most kLaneRows sampled queries the
/// signal, the oracle and the random router. Asks `work` between rows. Errors: Cancelled, those of `route`.
[[nodiscard]] Result<RoutingLaneData> routingLanes(const RoutingLaneInput& input, const WorkContext& work);

} // namespace fovea
