#pragma once
#include "core/base/RowRange.h"
#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fovea {

/// Values of RoutedChoices::queryRole: the query reads everything before it, or, of the router's keys, those
/// that others may not read (reach routed).
inline constexpr std::uint8_t kReadsAll = 1;
inline constexpr std::uint8_t kReadsRouted = 2;

/// Values of RoutedChoices::ranks that are no rank. Kept: the signal's rule keeps the key whatever its score
/// (the observed rows of recent_window, a diagonal of vertical_slash). Drawn: the key lies in a random block,
/// whose draw stands as its score. No bar applies to either.
inline constexpr std::uint16_t kRankKept = 0;
inline constexpr std::uint16_t kRankDrawn = 65535;
inline constexpr std::uint16_t kLastRank = 65534; ///< that or worse
[[nodiscard]] constexpr std::uint16_t storedRank(std::size_t rank) {
    return static_cast<std::uint16_t>(std::min<std::size_t>(rank, kLastRank));
}

/// One chosen key of one query, with what decided about it.
struct ChosenKey {
    std::uint32_t key = 0;
    float score = 0;
    float threshold = 0;      ///< the bar it had to reach; NaN: none applies
    std::uint32_t rank = 0;   ///< 1 = best; 0: it was not ranked
    std::uint32_t budget = 0; ///< keys that were allowed when it was decided
    bool drawn = false;       ///< in a random block
};

/// The choices of one unit (heads that choose as one) for the rows of a range. Sorted keys per row.
struct RoutedChoices {
    RowRange rows;
    std::vector<std::uint32_t> rowBegin; ///< [rows+1] into keys
    std::vector<std::uint32_t> keys;     ///< chosen keys, ascending in each row
    std::vector<float> scores;           ///< of each chosen key
    std::vector<std::uint16_t> ranks;    ///< of each chosen key: 1 = best, kRankKept, kRankDrawn
    /// [rows] bar of the row: tau, or the score of the last chosen; NaN if none.
    std::vector<float> threshold;
    std::vector<std::uint32_t> budget; ///< [rows] keys the row was allowed
    /// Where keys are chosen once for the text: [T up to rows.last] the bar and the budget of the moment at
    /// which each token was decided. Empty: those of the row decide.
    std::vector<float> tokenThreshold;
    std::vector<std::uint32_t> tokenBudget;
    /// [T up to rows.last] kReadsAll or kReadsRouted; 0: none. Empty: no query role is routed.
    std::vector<std::uint8_t> queryRole;
    std::vector<float> queryScore;          ///< as queryRole
    std::vector<float> queryThreshold;      ///< as queryScore: the bar when the token was decided; NaN: none
    std::vector<std::uint32_t> queryRank;   ///< as queryScore: 1 = best when the token was decided
    std::vector<std::uint32_t> queryBudget; ///< as queryScore: tokens that were allowed then
    std::uint64_t nanScores = 0;            ///< ranked last and counted
    /// As queryRole, 1: the query reads no key at all and gets no softmax (unrouted mean or skip). Empty:
    /// none.
    std::vector<std::uint8_t> silent;
    bool silentHaveNoKeys = false; ///< nobody reads a silent token either (unrouted skip)
    /// The keys of a query in `rows`.
    [[nodiscard]] std::span<const std::uint32_t> row(std::size_t query) const {
        const std::size_t r = query - rows.first;
        return std::span(keys).subspan(rowBegin[r], rowBegin[r + 1] - rowBegin[r]);
    }
    /// The chosen key at `at`, an index into `keys` that belongs to `query`.
    [[nodiscard]] ChosenKey chosen(std::size_t query, std::size_t at) const;
};

/// Heads that chose as one, by which signal, and what they chose.
struct Unit {
    std::vector<int> heads;                       ///< query heads, ascending, never empty
    std::string signal;                           ///< empty: only random blocks were drawn
    std::shared_ptr<const RoutedChoices> choices; ///< null: this unit was not asked for
};

/// The choices of one layer. A head belongs to one unit at most; one that reads everything, or routes
/// nothing, belongs to none.
struct LayerRouting {
    int layer = 0;
    std::vector<Unit> units;
    std::uint64_t macs = 0; ///< the router's own multiply-adds, for the cost bar
    /// Null: the head routes nothing here.
    [[nodiscard]] const Unit* unitOf(int head) const;
    /// Null: the head routes nothing here, or was not asked for.
    [[nodiscard]] const RoutedChoices* choicesOf(int head) const;
};

} // namespace fovea
