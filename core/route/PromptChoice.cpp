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

/// Sets bit `key`.
void mark(std::vector<std::uint64_t>& bits, std::size_t key) {
    bits[key / 64] |= std::uint64_t{1} << (key % 64);
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

/// The set of recent_window.
struct PromptSet final : ChoiceDetails {
    std::vector<float> scores;       ///< [P]
    std::vector<std::uint32_t> rank; ///< [P] 1 = best, kRankKept: not ranked, or not in the set
    void explain(std::size_t, std::span<ChosenKey> keys) const override {
        for (ChosenKey& key : keys) {
            key.score = scores[key.key];
            key.rank = storedRank(rank[key.key]);
        }
    }
};

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
        std::vector<float>& scores = m_set->scores;
        scores.resize(prompt);
        for (std::size_t j = 0; j < prompt; ++j) {
            if (j >= m_observed.first) {
                scores[j] = static_cast<float>(mean[j]);
                continue;
            }
            double sum = 0;
            for (std::size_t n = j - std::min(j, half); n <= std::min(j + half, m_observed.first - 1); ++n)
                sum += mean[n];
            scores[j] = static_cast<float>(sum / static_cast<double>(in.routed().pool));
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
            const std::size_t prompt = std::min(m_observed.border, query + 1);
            for (std::size_t n = 0; n * 64 < prompt; ++n)
                appender.addBits(n * 64, m_members[n] & candidateBits(row, n, prompt));
            forEachCandidateRun(row, m_observed.border, query + 1, [&](std::size_t begin, std::size_t end) {
                appender.addRun(begin, end, 0, kRankKept);
            });
            appender.finish(m_bar, m_allowed);
        }
        if (first == m_in.signal.rows.first)
            out.nanScores += m_nanScores;
    }
    [[nodiscard]] std::shared_ptr<const ChoiceDetails> details() const override { return m_set; }
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
            offer.allMass += static_cast<double>(m_set->scores[key]);
            if (always.lasts(key))
                continue;
            if (key >= m_observed.first) {
                ++observed;
                continue;
            }
            offer.add(key, m_set->scores[key]);
            offer.mass[key] = static_cast<double>(m_set->scores[key]);
            open += offer.mass[key];
        }
        offer.heldMass = offer.allMass - open;
        m_allowed = allowed(routed.budgetKind, routed.budget, offer.ranked.size() + observed);
        const std::size_t chosen =
            chooseFrom(offer, routed.budgetKind, routed.budget, m_allowed - std::min(m_allowed, observed));
        m_bar = barOf(offer, routed.budgetKind, routed.budget, chosen);
        m_nanScores = offer.nanScores;
        m_set->rank.assign(m_observed.border, kRankKept);
        m_members.assign(m_observed.border / 64 + 1, 0);
        for (std::size_t place = 0; place < chosen; ++place) {
            m_set->rank[tokenOf(offer.ranked[place])] = static_cast<std::uint32_t>(place + 1);
            mark(m_members, tokenOf(offer.ranked[place]));
        }
        for (std::size_t key = m_observed.first; key < m_observed.border; ++key)
            mark(m_members, key);
    }

    Observed m_observed;
    std::shared_ptr<PromptSet> m_set = std::make_shared<PromptSet>();
    std::vector<std::uint64_t> m_members; ///< bit j: key j of the prompt is in the set
    std::size_t m_allowed = 0;
    float m_bar = 0;
    std::uint64_t m_nanScores = 0;
};

/// The columns and diagonals of vertical_slash.
struct Stripes final : ChoiceDetails {
    std::vector<float> columns;            ///< [T] by key
    std::vector<float> diagonals;          ///< [T] by query - key
    std::vector<std::uint32_t> columnRank; ///< [T] 1 = best, 0: not chosen
    void explain(std::size_t query, std::span<ChosenKey> keys) const override {
        for (ChosenKey& key : keys) {
            const bool column = columnRank[key.key] != 0;
            key.score = column ? columns[key.key] : diagonals[query - key.key];
            key.rank = column && key.key >= kFirstColumns ? storedRank(columnRank[key.key]) : kRankKept;
        }
    }
};

class VerticalSlash final : public SetChooser {
public:
    explicit VerticalSlash(const SetInput& in)
        : SetChooser(in), m_observed(observedRows(in)), m_columns(in.tokens() / 64 + 1),
          m_diagonals(in.tokens() / 64 + 2) {
        std::vector<double> columns(in.tokens(), 0.0), diagonals(in.tokens(), 0.0);
        const double share = 1.0 / static_cast<double>(in.heads());
        forEachObserved(in, m_observed, [&](std::size_t query, const std::vector<float>& row) {
            for (std::size_t j = 0; j < row.size(); ++j) {
                columns[j] += share * static_cast<double>(row[j]);
                diagonals[query - j] += share * static_cast<double>(row[j]);
            }
        });
        m_stripes->columns.assign(columns.begin(), columns.end());
        m_stripes->diagonals.assign(diagonals.begin(), diagonals.end());
        m_stripes->columnRank.assign(in.tokens(), 0);
        const RoutedPart& routed = in.routed();
        Offer offer = offerOf(m_stripes->columns, kFirstColumns);
        m_allowed = allowed(routed.budgetKind, routed.budget, in.tokens());
        const std::size_t chosen = chooseFrom(offer, routed.budgetKind, routed.budget, m_allowed);
        for (std::size_t place = 0; place < chosen; ++place) {
            m_stripes->columnRank[tokenOf(offer.ranked[place])] = static_cast<std::uint32_t>(place + 1);
            mark(m_columns, tokenOf(offer.ranked[place]));
        }
        m_bar = routed.budgetKind == BudgetKind::Threshold ? static_cast<float>(routed.budget)
                : chosen > 0 ? m_stripes->columns[tokenOf(offer.ranked[chosen - 1])]
                             : std::numeric_limits<float>::quiet_NaN();
        Offer slash = offerOf(m_stripes->diagonals, kNearDiagonals);
        const std::size_t diagonalsKept = chooseFrom(
            slash, BudgetKind::Count, 0, std::min(in.tokens(), static_cast<std::size_t>(routed.diagonals)));
        for (std::size_t place = 0; place < diagonalsKept; ++place)
            mark(m_diagonals, in.tokens() - 1 - tokenOf(slash.ranked[place]));
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
            for (std::size_t n = 0; n <= query / 64; ++n)
                appender.addBits(n * 64,
                                 (m_columns[n] | diagonalBits(query, n)) & candidateBits(row, n, query + 1));
            appender.finish(m_bar, m_allowed);
        }
    }
    [[nodiscard]] std::shared_ptr<const ChoiceDetails> details() const override { return m_stripes; }
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

    /// Bit j: key 64 n + j is on a kept diagonal of the query.
    [[nodiscard]] std::uint64_t diagonalBits(std::size_t query, std::size_t n) const {
        const std::size_t at = m_in.tokens() - 1 - query + n * 64;
        const std::uint64_t low = m_diagonals[at / 64] >> (at % 64);
        return at % 64 == 0 ? low : low | m_diagonals[at / 64 + 1] << (64 - at % 64);
    }

    Observed m_observed;
    std::shared_ptr<Stripes> m_stripes = std::make_shared<Stripes>();
    std::vector<std::uint64_t> m_columns;   ///< bit j: column j was chosen
    std::vector<std::uint64_t> m_diagonals; ///< bit T - 1 - d: diagonal d is kept
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
