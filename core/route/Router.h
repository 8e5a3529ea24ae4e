#pragma once
#include "core/base/Cancel.h"
#include "core/base/Matrix.h"
#include "core/model/ModelShape.h"
#include "core/policy/AttentionPolicy.h"
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace fovea {

class RouterState;

/// What is known of a text without running attention. Shared by all layers. Sizes T.
struct TokenFacts {
    std::size_t tokens = 0;
    std::vector<std::uint8_t> special;
    std::vector<std::uint8_t> punctuation;
    std::vector<float> surprisal;  ///< -ln P(token | before) of the full run, nats; empty: not run yet
    std::vector<std::int32_t> ids; ///< vocabulary ids; empty where no signal asks for them
    /// P, the length of the prompt when generating; 0: T - T/4 stands in for it (mechanisms.md rule 7).
    std::size_t prompt = 0;
    /// [L*H] the model's retrieval scores, which mix.full_heads ranks (RetrievalHeads.h); empty: not
    /// measured.
    std::vector<float> retrieval;
    [[nodiscard]] std::size_t border() const { return prompt > 0 ? prompt : tokens - tokens / 4; }
};

/// One layer's activations as a router may see them.
struct RouteInput {
    int layer = 0;
    ConstMatrixView q; ///< [T x H*D]
    ConstMatrixView k; ///< [T x G*D]
    ConstMatrixView v; ///< [T x G*D]
    /// [T*H], row-major by token then head: log-sum-exp of the full run's rows; empty unless the full run of
    /// this layer is at hand (`received` then needs no second pass).
    std::span<const float> fullLse;
    const TokenFacts* facts = nullptr;
    /// [T] length of each token's residual stream entering the layer; empty: not known here.
    std::span<const float> hiddenNorm = {};
    /// `k` as it is read back from 8-bit directions, which a policy of routed.store direction8 ranks by;
    /// empty: read back here when it is needed.
    ConstMatrixView storedK = {};
    /// What earlier calls on the same growing text have rounded; null: nothing is kept (RoundedKeys.h).
    RouterState* kept = nullptr;
};

/// Rows [first, last) of a text. Work on a visible rectangle routes and plans just these.
struct RowRange {
    std::size_t first = 0;
    std::size_t last = 0;
    bool operator==(const RowRange&) const = default;
};

/// Values of RoutedChoices::queryRole: the query reads everything before it, or, of the router's keys, those
/// that others may not read (reach routed).
inline constexpr std::uint8_t kReadsAll = 1;
inline constexpr std::uint8_t kReadsRouted = 2;

/// The router's choices for one unit (a head, or the heads of one key-value head), rows of a range. Sorted
/// keys per row.
struct RoutedChoices {
    RowRange rows;
    std::vector<std::uint32_t> rowBegin; ///< [rows+1] into keys
    std::vector<std::uint32_t> keys;     ///< chosen keys, ascending in each row
    std::vector<float> scores;           ///< of each chosen key
    std::vector<std::uint16_t> ranks;    ///< 1 = best, of each chosen key (65535: that or worse)
    std::vector<float>
        threshold; ///< [rows] bar of the row: tau, or the score of the last chosen; NaN if none
    std::vector<std::uint32_t> budget; ///< [rows] keys the row was allowed
    std::vector<std::uint8_t>
        queryRole; ///< [T up to rows.last] kReadsAll or kReadsRouted; 0: none (router's choice only)
    std::vector<float> queryScore;        ///< as queryRole, empty when no query role is routed
    std::vector<float> queryThreshold;    ///< as queryScore: the bar when the token was decided; NaN for none
    std::vector<std::uint32_t> queryRank; ///< as queryScore: 1 = best when the token was decided
    std::vector<std::uint32_t> queryBudget; ///< as queryScore: tokens that were allowed then
    std::uint64_t nanScores = 0;            ///< ranked last and counted
    /// As queryRole, 1: the query reads no key at all and gets no softmax (unrouted mean or skip). Empty:
    /// none.
    std::vector<std::uint8_t> silent;
    bool silentHaveNoKeys = false; ///< nobody reads a silent token either (unrouted skip)
    [[nodiscard]] std::span<const std::uint32_t> row(std::size_t query) const {
        const std::size_t r = query - rows.first;
        return std::span(keys).subspan(rowBegin[r], rowBegin[r + 1] - rowBegin[r]);
    }
};

/// The choices of one layer. `unitOfHead[h]` points into `units`.
struct LayerRouting {
    int layer = 0;
    /// One per head, one per key-value head, or one for all; null for a unit that was not asked for.
    std::vector<std::shared_ptr<const RoutedChoices>> units;
    std::vector<std::uint16_t> unitOfHead; ///< [H]
    std::uint64_t macs = 0;                ///< the router's own multiply-adds, for the cost bar
};

/// Bytes that one layer's choices may take: 10 for every key of every row and unit (key, score, rank), at
/// most half the text per row on average. A budget of many keys is what this is asked for: pages, prefill
/// patterns.
[[nodiscard]] std::uint64_t choiceBytes(const AttentionPolicy& policy, const ModelShape& shape,
                                        std::size_t tokens);

/// Ranks and chooses for rows `rows` of one layer, all heads (or only the unit that `onlyHead` >= 0 belongs
/// to). Exactly as mechanisms.md: candidates are keys j <= i outside local and always; ties go to the later
/// token; a NaN score ranks last. Same bits at any thread count. Opens an OpenMP region of `work.threads`.
/// Errors: BadValue (a pinned position beyond T; surprisal not run), Cancelled.
/// Cost: see SignalSpec::cost, plus a vectorised selection per row.
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
