#pragma once
#include "core/route/RowChoice.h"
#include "core/route/Signal.h"
#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

// Mechanisms that choose sets of keys instead of ranking single keys per query: pages, blocks, hash buckets,
// choices at the end of the prompt, eviction. Each has a file, a declaration below, and a row in Signals.cpp.
namespace fovea {

/// What the choosers of several units have in common, such as the buckets of a key-value head's keys. Made by
/// the first that asks. Thread-safe.
class SharedParts {
public:
    /// The part of this number; all calls of one object name the same T.
    template <class T, class F>
    [[nodiscard]] std::shared_ptr<const T> get(std::size_t number, const F& make) {
        Entry* entry = nullptr;
        {
            const std::lock_guard lock(m_mutex);
            entry = &m_entries[number];
        }
        std::call_once(entry->once, [&] { entry->part = std::make_shared<const T>(make()); });
        return std::static_pointer_cast<const T>(entry->part);
    }

private:
    struct Entry {
        std::once_flag once;
        std::shared_ptr<const void> part;
    };
    std::mutex m_mutex;
    std::map<std::size_t, Entry> m_entries;
};

/// The input of the choice of one unit. Views only; the referenced values must outlive the chooser.
struct SetInput {
    SignalInput signal; ///< of one unit; `keys` is the number of keys that the rows may need
    UnitKind kind;      ///< what a unit is
    const Candidates& candidates;
    SharedParts* shared = nullptr; ///< of the units of one layer; null: there are none

    [[nodiscard]] const RoutedPart& routed() const { return signal.routed; }
    [[nodiscard]] std::size_t tokens() const { return candidates.tokens(); }
    [[nodiscard]] std::size_t border() const; ///< P, at most T
    [[nodiscard]] std::size_t
    firstHead() const; ///< the first of the unit's query heads, which are consecutive
    [[nodiscard]] std::size_t heads() const;
    [[nodiscard]] LogitForm form() const { return signal.form(); }
    [[nodiscard]] NativeWindow native() const { return candidates.native(); }
    [[nodiscard]] bool fullRow(std::size_t query) const { return candidates.always().queryRole[query] != 0; }
};

/// Chooses keys for the rows of one unit. `choose` may run on several threads, for different rows.
class SetChooser {
public:
    explicit SetChooser(const SetInput& in) : m_in(in) {}
    SetChooser(const SetChooser&) = delete;
    SetChooser& operator=(const SetChooser&) = delete;
    virtual ~SetChooser() = default;
    /// Appends queries [first, last), at most 64.
    virtual void choose(std::size_t first, std::size_t last, BlockChoices& out) const = 0;
    /// Moves the choices of all rows of the input to `choices`, which has no row yet. False: `choose` must be
    /// called.
    [[nodiscard]] virtual bool giveRows(RoutedChoices&) { return false; }
    /// Multiply-adds of this unit for the rows of the input, including preparation.
    [[nodiscard]] virtual std::uint64_t macs() const = 0;
    /// Of the runs that ask among those that `choose` appends; null: there are none.
    [[nodiscard]] virtual std::shared_ptr<const ChoiceDetails> details() const { return nullptr; }

protected:
    const SetInput m_in;
};

/// The chooser of the routed part; null if it ranks single keys per query.
[[nodiscard]] std::unique_ptr<SetChooser> makeSetChooser(const SetInput& in);
/// Whether makeSetChooser returns one.
[[nodiscard]] bool choosesSets(const RoutedPart& routed);
/// The rows extended to the start of the first query block, which a chooser must see as a whole.
[[nodiscard]] RowRange rowsNeeded(const RoutedPart& routed, RowRange rows, std::size_t tokens);

/// Appends one row in ascending order of keys.
class RowAppender {
public:
    explicit RowAppender(BlockChoices& out) : m_out(out) {}
    /// `rank` counts from 1; kRankKept: not ranked.
    void add(std::size_t key, float score, std::size_t rank) { addRun(key, key + 1, score, rank); }
    /// Keys [first, last) of one score and rank.
    void addRun(std::size_t first, std::size_t last, float score, std::size_t rank) {
        m_out.list.add(first, last, score, storedRank(rank));
    }
    /// Keys [first, last) of one score, whose rank follows from the scores of the row.
    void addByScore(std::size_t first, std::size_t last, float score) {
        m_out.list.add(first, last, score, kRankByScore);
    }
    /// Keys first + j with bit j of `bits`, `first` a multiple of 32.
    void addBits(std::size_t first, std::uint64_t bits) { m_out.list.addBits(first, bits); }
    void finish(float threshold, std::size_t budget) {
        m_out.counts.push_back(static_cast<std::uint32_t>(m_out.list.endRow()));
        m_out.threshold.push_back(threshold);
        m_out.budget.push_back(static_cast<std::uint32_t>(std::min<std::size_t>(budget, kAll)));
    }

private:
    BlockChoices& m_out;
};

/// The first key in [first, last) whose bit in `blocked` is `bit`; `last` if there is none.
[[nodiscard]] inline std::size_t nextKey(const std::uint64_t* blocked, std::size_t first, std::size_t last,
                                         bool bit) {
    while (first < last) {
        const std::uint64_t word = (bit ? blocked[first / 64] : ~blocked[first / 64]) >> (first % 64);
        if (word != 0)
            return std::min(last, first + static_cast<std::size_t>(std::countr_zero(word)));
        first = (first / 64 + 1) * 64;
    }
    return last;
}
/// Calls f(begin, end) for every run of adjacent candidates of `row` in [first, last), ascending.
template <class F>
void forEachCandidateRun(const Candidates::Row& row, std::size_t first, std::size_t last, F&& f) {
    last = std::min(last, row.end);
    while ((first = nextKey(row.blocked, first, last, false)) < last) {
        const std::size_t end = nextKey(row.blocked, first, last, true);
        f(first, end);
        first = end;
    }
}
/// Calls f(key) for every candidate of `row` in [first, last), ascending.
template <class F>
void forEachCandidate(const Candidates::Row& row, std::size_t first, std::size_t last, F&& f) {
    forEachCandidateRun(row, first, last, [&](std::size_t begin, std::size_t end) {
        for (std::size_t key = begin; key < end; ++key)
            f(key);
    });
}
/// Word n of the candidates of `row` before `last`, as bits.
[[nodiscard]] inline std::uint64_t candidateBits(const Candidates::Row& row, std::size_t n,
                                                 std::size_t last) {
    last = std::min(last, row.end);
    if (last <= n * 64)
        return 0;
    const std::size_t left = last - n * 64;
    return ~row.blocked[n] & (left < 64 ? (std::uint64_t{1} << left) - 1 : ~std::uint64_t{0});
}
[[nodiscard]] std::size_t countCandidates(const Candidates::Row& row, std::size_t first, std::size_t last);

/// Candidates of one choice with their scores and masses, for any kind of budget.
struct Offer {
    std::vector<Ranked> ranked; ///< score and place
    std::vector<double> mass;   ///< estimated mass that each candidate adds; used for top_p only
    double heldMass = 0;        ///< mass of the keys that are read in any case
    double allMass = 0;
    std::uint64_t nanScores = 0;

    void start(std::size_t places) {
        ranked.clear();
        mass.assign(places, 0);
        heldMass = allMass = 0;
        nanScores = 0;
    }
    void add(std::size_t place, float score) {
        ranked.push_back(rankedOf(score, static_cast<std::uint32_t>(place)));
        nanScores += score != score ? 1U : 0U;
    }
};
/// Sorts the candidates, best first, and returns how many are chosen. `allowed`: their number for count and
/// fraction.
[[nodiscard]] std::size_t chooseFrom(Offer& offer, BudgetKind kind, double budget, std::size_t allowed);
/// The threshold of such a choice: the given one, or the score of the last chosen candidate; NaN if there is
/// none.
[[nodiscard]] float barOf(const Offer& offer, BudgetKind kind, double budget, std::size_t chosen);

/// The softmax of one query over those of keys [0, count) that it may read: [count] weights. A NaN logit has
/// weight 0, and so has a key outside the native window. `packed`: packedKeys of the head, for at least
/// `count` keys.
void softmaxRow(const SetInput& in, std::size_t head, std::size_t query, std::size_t count,
                const std::vector<float>& packed, std::vector<float>& out);
/// Keys [0, count) of a query head as columns for DotKernels::exactColumns.
[[nodiscard]] std::vector<float> packedKeys(const SetInput& in, std::size_t head, std::size_t count);

namespace sets {
std::unique_ptr<SetChooser> pages(const SetInput& in);         ///< PageChoice.cpp: page and block granularity
std::unique_ptr<SetChooser> recentWindow(const SetInput& in);  ///< PromptChoice.cpp
std::unique_ptr<SetChooser> verticalSlash(const SetInput& in); ///< PromptChoice.cpp
std::unique_ptr<SetChooser> flexPrefill(const SetInput& in);   ///< FlexPrefill.cpp
std::unique_ptr<SetChooser> accumulated(const SetInput& in);   ///< Eviction.cpp
std::unique_ptr<SetChooser> observed(const SetInput& in);      ///< Eviction.cpp
std::unique_ptr<SetChooser> valueAttention(const SetInput& in); ///< Eviction.cpp
std::unique_ptr<SetChooser> lastRow(const SetInput& in);        ///< Eviction.cpp
std::unique_ptr<SetChooser> lsh(const SetInput& in);            ///< Buckets.cpp
std::unique_ptr<SetChooser> centroid(const SetInput& in);       ///< Buckets.cpp
} // namespace sets

/// Random blocks (Zaheer et al., Big Bird, 2020, 2007.14062): adds to every row of `choices` the candidates
/// in `randomBlocks` random blocks of `page` keys that end before the row's query block. The draw is
/// SplitMix64 of (seed, layer, head, query block, key block). Causal.
void addRandomBlocks(const SetInput& in, RoutedChoices& choices);

} // namespace fovea
