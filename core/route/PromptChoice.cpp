// Choices made once, at the end P of the prompt, from the attention of its last rows.
// recent_window: Li et al., SnapKV, 2024, 2404.14469: mean of p_ij over the last `observe` rows before P,
// mean over `pool` neighbouring keys. The set is fixed once: the observed rows, which count in the budget as
// the published capacity counts its window, and the best keys before them; all keys from P on stay too.
// Whether local reads a key of the set as well changes nothing in it. vertical_slash: Jiang et al.,
// MInference, 2024, 2407.02490: sums of p_ij per column and per diagonal over those rows; the first 30
// columns and nearest 100 diagonals rank first.
#include "core/route/SetChoice.h"
#include "core/route/TextChoice.h"
#include <cmath>
#include <limits>

namespace fovea {

namespace {

constexpr std::size_t kFirstColumns = 30;
constexpr std::size_t kNearDiagonals = 100;

struct Observed {
    std::size_t first = 0; ///< rows [first, border)
    std::size_t border = 0;
    std::uint64_t macs = 0;
    [[nodiscard]] std::size_t rows() const { return border - first; }
};

Observed observedRows(const SetInput& in) {
    Observed o;
    o.border = in.border();
    o.first = o.border - std::min(o.border, static_cast<std::size_t>(in.routed().observe));
    for (std::uint64_t i = o.first; i < o.border; ++i)
        o.macs += in.native().keys(i) * in.signal.headDim() * in.heads();
    return o;
}

/// Calls f(query, weights over keys <= query) for the observed rows of every head of the unit.
template <class F>
void forEachObserved(const SetInput& in, const Observed& observed, F&& f) {
    std::vector<float> row;
    for (std::size_t head = in.firstHead(); head < in.firstHead() + in.heads(); ++head) {
        const std::vector<float> keys = packedKeys(in, head, observed.border);
        for (std::size_t query = observed.first; query < observed.border; ++query) {
            softmaxRow(in, head, query, query + 1, keys, row);
            f(query, row);
        }
    }
}

class RecentWindow final : public SetChooser {
public:
    explicit RecentWindow(const SetInput& in) : SetChooser(in), m_observed(observedRows(in)) {
        const std::size_t prompt = m_observed.border;
        std::vector<double> mean(prompt, 0.0);
        const double share =
            1.0 / static_cast<double>(std::max<std::size_t>(1, m_observed.rows() * in.heads()));
        forEachObserved(in, m_observed, [&](std::size_t, const std::vector<float>& row) {
            for (std::size_t j = 0; j < row.size(); ++j)
                mean[j] += share * static_cast<double>(row[j]);
        });
        // Pooled over the keys before the observed rows only, as published; keys outside count as 0.
        const auto half = static_cast<std::size_t>(in.routed().pool) / 2;
        m_scores.resize(prompt);
        for (std::size_t j = 0; j < prompt; ++j) {
            if (j >= m_observed.first) {
                m_scores[j] = static_cast<float>(mean[j]);
                continue;
            }
            double sum = 0;
            for (std::size_t n = j - std::min(j, half); n <= std::min(j + half, m_observed.first - 1); ++n)
                sum += mean[n];
            m_scores[j] = static_cast<float>(sum / static_cast<double>(in.routed().pool));
        }
        fixSet();
    }

    void choose(std::size_t first, std::size_t last, BlockChoices& out) const override {
        std::vector<std::uint64_t> blocked;
        for (std::size_t query = first; query < last; ++query) {
            const Candidates::Row row = m_in.candidates.of(query, blocked);
            RowAppender appender(out);
            if (m_in.fullRow(query)) {
                appender.finish(std::numeric_limits<float>::quiet_NaN(), 0);
                continue;
            }
            const auto isOpen = [&row](std::size_t key) {
                return (row.blocked[key / 64] >> (key % 64) & 1U) == 0;
            };
            for (const std::uint32_t key : m_members) {
                if (key > query || key >= row.end)
                    break;
                if (isOpen(key))
                    appender.add(key, m_scores[key], m_rank[key]);
            }
            const std::size_t prompt = std::min(m_scores.size(), query + 1);
            forEachCandidate(row, m_observed.first, prompt,
                             [&](std::size_t key) { appender.add(key, m_scores[key], kRankKept); });
            forEachCandidateRun(row, m_scores.size(), query + 1, [&](std::size_t begin, std::size_t end) {
                appender.addRun(begin, end, 0, kRankKept);
            });
            appender.finish(m_bar, m_allowed);
        }
        if (first == m_in.signal.rows.first)
            out.nanScores += m_nanScores;
    }
    [[nodiscard]] std::uint64_t macs() const override { return m_observed.macs; }

private:
    /// Ranks the prompt's keys before the observed rows, those that always reads for good aside.
    void fixSet() {
        const RoutedPart& routed = m_in.routed();
        const AlwaysReads& always = m_in.candidates.always();
        Offer offer;
        offer.start(m_observed.border);
        std::size_t observed = 0;
        double open = 0;
        for (std::size_t key = 0; key < m_observed.border; ++key) {
            offer.allMass += static_cast<double>(m_scores[key]);
            if (always.lasts(key))
                continue;
            if (key >= m_observed.first) {
                ++observed;
                continue;
            }
            offer.add(key, m_scores[key]);
            offer.mass[key] = static_cast<double>(m_scores[key]);
            open += offer.mass[key];
        }
        offer.heldMass = offer.allMass - open;
        m_allowed = allowed(routed.budgetKind, routed.budget, offer.ranked.size() + observed);
        const std::size_t chosen =
            chooseFrom(offer, routed.budgetKind, routed.budget, m_allowed - std::min(m_allowed, observed));
        m_bar = barOf(offer, routed.budgetKind, routed.budget, chosen);
        m_nanScores = offer.nanScores;
        m_rank.assign(m_observed.first, 0);
        for (std::size_t place = 0; place < chosen; ++place)
            m_rank[tokenOf(offer.ranked[place])] = static_cast<std::uint32_t>(place + 1);
        for (std::size_t key = 0; key < m_rank.size(); ++key)
            if (m_rank[key] != 0)
                m_members.push_back(static_cast<std::uint32_t>(key));
    }

    Observed m_observed;
    std::vector<float> m_scores;          ///< [P]
    std::vector<std::uint32_t> m_rank;    ///< [observed.first] 1 = best, 0: not in the set
    std::vector<std::uint32_t> m_members; ///< of the set before the observed rows, ascending
    std::size_t m_allowed = 0;
    float m_bar = 0;
    std::uint64_t m_nanScores = 0;
};

class VerticalSlash final : public SetChooser {
public:
    explicit VerticalSlash(const SetInput& in)
        : SetChooser(in), m_observed(observedRows(in)), m_columns(in.tokens(), 0.0F),
          m_diagonals(in.tokens(), 0.0F), m_columnRank(in.tokens(), 0), m_keptDiagonal(in.tokens(), 0) {
        std::vector<double> columns(in.tokens(), 0.0), diagonals(in.tokens(), 0.0);
        const double share = 1.0 / static_cast<double>(in.heads());
        forEachObserved(in, m_observed, [&](std::size_t query, const std::vector<float>& row) {
            for (std::size_t j = 0; j < row.size(); ++j) {
                columns[j] += share * static_cast<double>(row[j]);
                diagonals[query - j] += share * static_cast<double>(row[j]);
            }
        });
        for (std::size_t j = 0; j < in.tokens(); ++j) {
            m_columns[j] = static_cast<float>(columns[j]);
            m_diagonals[j] = static_cast<float>(diagonals[j]);
        }
        const RoutedPart& routed = in.routed();
        Offer offer = offerOf(m_columns, kFirstColumns);
        m_allowed = allowed(routed.budgetKind, routed.budget, in.tokens());
        const std::size_t chosen = chooseFrom(offer, routed.budgetKind, routed.budget, m_allowed);
        for (std::size_t place = 0; place < chosen; ++place)
            m_columnRank[tokenOf(offer.ranked[place])] = static_cast<std::uint32_t>(place + 1);
        m_bar = routed.budgetKind == BudgetKind::Threshold ? static_cast<float>(routed.budget)
                : chosen > 0                               ? m_columns[tokenOf(offer.ranked[chosen - 1])]
                                                           : std::numeric_limits<float>::quiet_NaN();
        Offer slash = offerOf(m_diagonals, kNearDiagonals);
        const std::size_t diagonalsKept = chooseFrom(
            slash, BudgetKind::Count, 0, std::min(in.tokens(), static_cast<std::size_t>(routed.diagonals)));
        for (std::size_t place = 0; place < diagonalsKept; ++place)
            m_keptDiagonal[tokenOf(slash.ranked[place])] = 1;
    }

    void choose(std::size_t first, std::size_t last, BlockChoices& out) const override {
        std::vector<std::uint64_t> blocked;
        for (std::size_t query = first; query < last; ++query) {
            const Candidates::Row row = m_in.candidates.of(query, blocked);
            RowAppender appender(out);
            if (m_in.fullRow(query)) {
                appender.finish(std::numeric_limits<float>::quiet_NaN(), 0);
                continue;
            }
            forEachCandidate(row, 0, query + 1, [&](std::size_t key) {
                if (m_columnRank[key] != 0)
                    appender.add(key, m_columns[key], key < kFirstColumns ? kRankKept : m_columnRank[key]);
                else if (m_keptDiagonal[query - key] != 0)
                    appender.add(key, m_diagonals[query - key], kRankKept);
            });
            appender.finish(m_bar, m_allowed);
        }
    }
    [[nodiscard]] std::uint64_t macs() const override { return m_observed.macs; }

private:
    /// All places, the first `forced` of them before any other.
    [[nodiscard]] static Offer offerOf(const std::vector<float>& scores, std::size_t forced) {
        Offer offer;
        offer.start(scores.size());
        for (std::size_t n = 0; n < scores.size(); ++n) {
            offer.add(n, n < forced ? std::numeric_limits<float>::infinity() : scores[n]);
            offer.mass[n] = static_cast<double>(scores[n]);
            offer.allMass += static_cast<double>(scores[n]);
        }
        return offer;
    }

    Observed m_observed;
    std::vector<float> m_columns;             ///< [T] by key
    std::vector<float> m_diagonals;           ///< [T] by query - key
    std::vector<std::uint32_t> m_columnRank;  ///< [T] 1 = best, 0: not chosen
    std::vector<std::uint8_t> m_keptDiagonal; ///< [T]
    std::size_t m_allowed = 0;
    float m_bar = 0;
};

} // namespace

std::unique_ptr<SetChooser> sets::recentWindow(const SetInput& in) {
    return std::make_unique<RecentWindow>(in);
}

std::unique_ptr<SetChooser> sets::verticalSlash(const SetInput& in) {
    return std::make_unique<VerticalSlash>(in);
}

} // namespace fovea
