// Choices made once, at the prompt's border P, from attention of the last prompt rows.
// recent_window: Li et al., SnapKV, 2024, 2404.14469: mean of p_ij over the last `observe` rows before P,
// mean over `pool` neighbouring keys; the observed rows and all that come after P stay, and count in the
// budget as the published capacity counts its window. vertical_slash: Jiang et al., MInference, 2024,
// 2407.02490: sums of p_ij per column and per diagonal over those rows; the first 30 columns and nearest 100
// diagonals rank first.
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
        o.macs += (i + 1) * in.signal.headDim() * in.heads();
    return o;
}

/// Calls f(query, weights over keys <= query) for the observed rows of every head of the unit.
template <class F>
void forEachObserved(const SetInput& in, const Observed& observed, F&& f) {
    std::vector<float> row;
    for (std::size_t head = in.firstHead(); head < in.firstHead() + in.heads(); ++head)
        for (std::size_t query = observed.first; query < observed.border; ++query) {
            softmaxRow(in, head, query, query + 1, row);
            f(query, row);
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
        // Pooled over the keys before the observed rows only, as published; a pool counts what lies outside
        // as 0.
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
    }

    void choose(std::size_t first, std::size_t last, BlockChoices& out) const override {
        const RoutedPart& routed = m_in.routed();
        std::vector<std::uint64_t> blocked;
        std::vector<std::uint32_t> rank;
        Offer offer;
        for (std::size_t query = first; query < last; ++query) {
            const Candidates::Row row = m_in.candidates.of(query, blocked);
            RowAppender appender(out);
            if (m_in.fullRow(query)) {
                appender.finish(std::numeric_limits<float>::quiet_NaN(), 0);
                continue;
            }
            const std::size_t end = std::min(row.end, query + 1);
            const std::size_t scored = std::min(end, m_observed.first); // what must compete
            std::size_t kept = countCandidates(row, m_observed.first, end);
            offer.start(scored);
            forEachCandidate(row, 0, scored, [&](std::size_t key) {
                offer.add(key, m_scores[key]);
                offer.mass[key] = static_cast<double>(m_scores[key]);
            });
            for (std::size_t j = 0; j < std::min(query + 1, m_scores.size()); ++j)
                offer.allMass += static_cast<double>(m_scores[j]);
            double open = 0;
            for (const Ranked r : offer.ranked)
                open += offer.mass[tokenOf(r)];
            offer.heldMass = offer.allMass - open;
            const std::size_t allowedKeys =
                allowed(routed.budgetKind, routed.budget, offer.ranked.size() + kept);
            const std::size_t observed = std::min(
                m_observed.rows(), countCandidates(row, m_observed.first, std::min(end, m_observed.border)));
            const std::size_t chosen = chooseFrom(offer, routed.budgetKind, routed.budget,
                                                  allowedKeys - std::min(allowedKeys, observed));
            out.nanScores += offer.nanScores;
            rank.assign(scored, 0);
            for (std::size_t place = 0; place < chosen; ++place)
                rank[tokenOf(offer.ranked[place])] = static_cast<std::uint32_t>(kept + place + 1);
            forEachCandidate(row, 0, scored, [&](std::size_t key) {
                if (rank[key] != 0)
                    appender.add(key, m_scores[key], rank[key]);
            });
            forEachCandidate(row, m_observed.first, end, [&](std::size_t key) {
                appender.add(key, key < m_scores.size() ? m_scores[key] : 0.0F, kept--);
            });
            appender.finish(barOf(offer, routed.budgetKind, routed.budget, chosen), allowedKeys);
        }
    }
    [[nodiscard]] std::uint64_t macs() const override { return m_observed.macs; }

private:
    Observed m_observed;
    std::vector<float> m_scores; ///< [P]
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
                    appender.add(key, m_columns[key], m_columnRank[key]);
                else if (m_keptDiagonal[query - key] != 0)
                    appender.add(key, m_diagonals[query - key], 65535);
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
