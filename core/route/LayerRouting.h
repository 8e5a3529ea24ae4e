#pragma once
#include "core/base/RowRange.h"
#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fovea {

/// Values of RoutedChoices::queryRole: the query reads everything before it, or (with reach routed) the
/// routed keys, which other queries do not read.
inline constexpr std::uint8_t kReadsAll = 1;
inline constexpr std::uint8_t kReadsRouted = 2;

/// Special values of ChosenRun::rank. Kept: the rule of the signal keeps the key regardless of its score
/// (the observed rows of recent_window, a diagonal of vertical_slash). Drawn: the key is in a random block,
/// and the draw is recorded as its score. No threshold applies to either.
inline constexpr std::uint16_t kRankKept = 0;
inline constexpr std::uint16_t kRankDrawn = 65535;
/// Two that ChoiceDetails explains. OfBits: the run is a set of bits, with neither score nor rank. ByScore:
/// the rank is the place of the run's score among those of the row.
inline constexpr std::uint16_t kRankOfBits = 65534;
inline constexpr std::uint16_t kRankByScore = 65533;
inline constexpr std::uint16_t kLastRank = 65532; ///< that or worse
[[nodiscard]] constexpr std::uint16_t storedRank(std::size_t rank) {
    return static_cast<std::uint16_t>(std::min<std::size_t>(rank, kLastRank));
}

/// One chosen key of one query, with the values that decided about it.
struct ChosenKey {
    std::uint32_t key = 0;
    float score = 0;
    float threshold = 0;      ///< the threshold it had to reach; NaN: none
    std::uint32_t rank = 0;   ///< 1 = best; 0: it was not ranked
    std::uint32_t budget = 0; ///< number of keys allowed when it was decided
    bool drawn = false;       ///< in a random block
};

/// Keys that one query chose. Either adjacent keys of one score: a page or a part of it, or a single key. Or,
/// where many keys are chosen one by one, those of 32 aligned keys as bits. Neither is expanded to single
/// keys on its way to the kernel.
struct ChosenRun {
    std::uint32_t key = 0;   ///< the first
    std::uint16_t count = 1; ///< keys from the first to the last, at least 1
    std::uint16_t rank = 0;  ///< of each: 1 = best, or one of the special values
    /// Of each. By score (kRankByScore): the number it was ranked by, which ChoiceDetails turns into the
    /// score. A run of bits has the bits in its place.
    float score = 0;
    /// One past the last. Of a run of bits not every key before it was chosen: see forEachKey.
    [[nodiscard]] std::uint32_t end() const { return key + count; }
    [[nodiscard]] bool isBits() const { return rank == kRankOfBits; }
    /// Whether score and rank are only known to ChoiceDetails.
    [[nodiscard]] bool asks() const { return isBits() || rank == kRankByScore; }
    /// Of a run of bits: bit j says that key + j was chosen. The lowest and the highest are set.
    [[nodiscard]] std::uint32_t bits() const { return std::bit_cast<std::uint32_t>(score); }
    /// Calls f(key) for every key, ascending.
    template <class F>
    void forEachKey(F&& f) const {
        for (std::uint32_t j = 0; j < count; ++j)
            if (!isBits() || (bits() >> j & 1U) != 0)
                f(key + j);
    }
};

/// Scores and ranks of keys, computed when somebody asks: neither plan nor kernel needs them. Owns what it
/// needs, so it outlives the chooser. Immutable.
class ChoiceDetails {
public:
    ChoiceDetails() = default;
    ChoiceDetails(const ChoiceDetails&) = delete;
    ChoiceDetails& operator=(const ChoiceDetails&) = delete;
    virtual ~ChoiceDetails() = default;
    /// Sets score and rank (0: not ranked) of `keys`: all that `query` has in runs that ask, ascending, each
    /// with the score of its run.
    virtual void explain(std::size_t query, std::span<ChosenKey> keys) const = 0;
};

/// Of runs by score. Keys of one page have one score and one rank.
class RanksByScore final : public ChoiceDetails {
public:
    /// `factors`: what the scores of each of `rows` are multiplied by when their ranks are known. Empty: the
    /// scores are given as they are.
    RanksByScore(std::size_t page, RowRange rows, std::vector<float> factors)
        : m_page(page), m_rows(rows), m_factors(std::move(factors)) {}
    void explain(std::size_t query, std::span<ChosenKey> keys) const override;

private:
    std::size_t m_page;
    RowRange m_rows;
    std::vector<float> m_factors; ///< [rows]
};

/// The runs of rows that are written one after the other, each from its first key to its last.
class RunList {
public:
    static constexpr std::size_t kMostKeys = 65535; ///< of a run

    /// Adds keys [first, last) to the row under construction; they must come after its keys so far. Keys that
    /// adjoin the row's last run and have its score and rank join it.
    void add(std::size_t first, std::size_t last, float score, std::uint16_t rank);
    /// Adds the keys first + j with bit j of `bits`, `first` a multiple of 32; they must come after the row's
    /// keys so far.
    void addBits(std::size_t first, std::uint64_t bits);
    /// Ends the row and returns the number of its runs.
    std::size_t endRow();
    void clear() {
        runs.clear();
        m_rowBegin = 0;
    }

    std::vector<ChosenRun> runs;

private:
    std::size_t m_rowBegin = 0;
};

/// The choices of one unit for a range of rows. A unit is a set of heads that choose together. Keys are
/// sorted in each row.
struct RoutedChoices {
    RowRange rows;
    std::vector<std::uint32_t> rowBegin;          ///< [rows+1] into runs
    std::vector<ChosenRun> runs;                  ///< chosen keys, ascending in each row, without overlaps
    std::shared_ptr<const ChoiceDetails> details; ///< of runs that ask; null: there are none
    /// [rows] threshold of the row: the given one, or the score of the last chosen key; NaN if there is none.
    std::vector<float> threshold;
    std::vector<std::uint32_t> budget; ///< [rows] number of keys allowed
    /// If keys are chosen once for the text: [rows.last] threshold and budget at the moment when each token
    /// was decided. Empty: those of the row apply.
    std::vector<float> tokenThreshold;
    std::vector<std::uint32_t> tokenBudget;
    /// [rows.last] kReadsAll or kReadsRouted; 0: not in query role. Empty: no query role is routed.
    std::vector<std::uint8_t> queryRole;
    std::vector<float> queryScore; ///< as queryRole
    std::vector<float>
        queryThreshold; ///< like queryScore: the threshold when the token was decided; NaN: none
    std::vector<std::uint32_t> queryRank;   ///< as queryScore: 1 = best when the token was decided
    std::vector<std::uint32_t> queryBudget; ///< like queryScore: the number of tokens allowed at that time
    std::uint64_t nanScores = 0;            ///< number of NaN scores; they rank last
    /// [rows.last] 1: the query reads no key and gets no softmax (unrouted mean or skip). Empty: no such
    /// query.
    std::vector<std::uint8_t> silent;
    bool silentHaveNoKeys = false; ///< nobody reads a silent token either (unrouted skip)
    /// The runs of a query in `rows`.
    [[nodiscard]] std::span<const ChosenRun> runsOf(std::size_t query) const {
        const std::size_t r = query - rows.first;
        return std::span(runs).subspan(rowBegin[r], rowBegin[r + 1] - rowBegin[r]);
    }
    /// The keys of a query in `rows`, ascending. Cost, as of the next one: their number.
    [[nodiscard]] std::vector<std::uint32_t> row(std::size_t query) const;
    [[nodiscard]] std::vector<ChosenKey> chosenKeys(std::size_t query) const;
    /// The same choices, with the score and rank of every key in its run.
    [[nodiscard]] RoutedChoices explained() const;
};

/// A unit: heads that chose together, the signal, and their choices.
struct Unit {
    std::vector<int> heads;                       ///< query heads, ascending, never empty
    std::string signal;                           ///< empty: only random blocks were drawn
    std::shared_ptr<const RoutedChoices> choices; ///< null: this unit was not requested
};

/// The choices of one layer. A head belongs to at most one unit; a head that reads everything or routes
/// nothing belongs to none.
struct LayerRouting {
    int layer = 0;
    std::vector<Unit> units;
    std::uint64_t macs = 0; ///< the router's own multiply-adds, for the cost bar
    /// Null: the head routes nothing here.
    [[nodiscard]] const Unit* unitOf(int head) const;
    /// Null: the head routes nothing here, or was not requested.
    [[nodiscard]] const RoutedChoices* choicesOf(int head) const;
};

} // namespace fovea
