// Pages (aligned runs of `page` keys, chosen per query) and blocks (such runs, chosen for `query_block`
// queries as one). A count budget of k keys takes ceil(k / page) pages; of a chosen page a row reads the keys
// that are candidates. A block is scored with its first query, so it uses nothing that any of its rows must
// not see (except for signals that pool their queries, which say so). The pages from that query's page to the
// row's page are always read, as in the published block methods, which keep the diagonal; so are the pages of
// which that query has no candidate, because another part reads all their keys for it, but not for later rows
// of the block.
#include "core/route/Pages.h"
#include "core/route/Selection.h"
#include "core/route/TextChoice.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea {

namespace {

class PageChooser final : public SetChooser {
public:
    PageChooser(const SetInput& in, std::unique_ptr<PageScorer> scorer)
        : SetChooser(in), m_scorer(std::move(scorer)), m_page(static_cast<std::size_t>(in.routed().page)),
          m_queryBlock(in.routed().granularity == Granularity::Block
                           ? static_cast<std::size_t>(in.routed().queryBlock)
                           : 0),
          m_streams(m_queryBlock == 0 && in.candidates.growing() &&
                    (in.routed().budgetKind == BudgetKind::Count ||
                     in.routed().budgetKind == BudgetKind::Fraction)) {
        if (!m_streams)
            return;
        const std::size_t pages = (in.signal.keys + m_page - 1) / m_page;
        m_shut.assign(pages / 64 + 1, 0);
        m_allOpen.assign(pages, 0);
        m_openBefore.assign(pages + 1, 0);
        const Candidates::Row whole{0, in.signal.keys, 0, in.candidates.blocked()};
        for (std::size_t p = 0; p < pages; ++p) {
            const std::size_t candidates = countCandidates(whole, p * m_page, (p + 1) * m_page);
            const bool open = candidates > 0;
            m_allOpen[p] = p * m_page + candidates == std::min((p + 1) * m_page, in.signal.keys) ? 1 : 0;
            m_shut[p / 64] |= open ? 0 : std::uint64_t{1} << (p % 64);
            m_openBefore[p + 1] = m_openBefore[p] + (open ? 1U : 0U);
        }
    }

    void choose(std::size_t first, std::size_t last, BlockChoices& out) const override {
        if (m_streams) {
            chooseStreaming(first, last, out);
            return;
        }
        Scratch s;
        s.anchor = std::numeric_limits<std::size_t>::max();
        for (std::size_t query = first; query < last; ++query) {
            if (m_in.fullRow(query)) {
                RowAppender(out).finish(std::numeric_limits<float>::quiet_NaN(), 0);
                continue;
            }
            const std::size_t anchor = anchorOf(query);
            if (anchor != s.anchor || m_queryBlock == 0)
                chooseAt(anchor, s, out);
            append(query, s, out);
        }
    }
    [[nodiscard]] std::uint64_t macs() const override { return m_scorer->macs(); }
    [[nodiscard]] std::shared_ptr<const ChoiceDetails> details() const override {
        return m_streams ? std::make_shared<RanksByScore>(m_page, m_in.signal.rows, std::vector<float>())
                         : nullptr;
    }

private:
    static constexpr std::uint32_t kNotChosen = 0;
    static constexpr std::uint32_t kAlways = std::numeric_limits<std::uint32_t>::max();

    struct Scratch {
        std::size_t anchor = 0;
        std::size_t pages = 0;     ///< pages that begin at or before the anchor
        std::vector<float> scores; ///< [pages]
        Offer offer;
        std::vector<std::uint32_t> rank; ///< [pages] 1 = best; kNotChosen, kAlways
        std::size_t allowed = 0;         ///< keys
        float bar = 0;
        std::vector<std::uint64_t> blocked;
    };

    /// The query that a choice is made with: the first of the block that routes.
    [[nodiscard]] std::size_t anchorOf(std::size_t query) const {
        if (m_queryBlock == 0)
            return query;
        std::size_t anchor = query / m_queryBlock * m_queryBlock;
        while (anchor < query && m_in.fullRow(anchor))
            ++anchor;
        return anchor;
    }

    /// The choice of one query, or of the block whose first query is `anchor`.
    void chooseAt(std::size_t anchor, Scratch& s, BlockChoices& out) const {
        const RoutedPart& routed = m_in.routed();
        s.anchor = anchor;
        s.pages = anchor / m_page + 1;
        s.scores.resize(s.pages);
        m_scorer->scores(anchor, s.pages, s.scores.data());
        const std::size_t floor = m_in.native().first(anchor); // of what the model lets the anchor read
        std::fill_n(s.scores.begin(), floor / m_page, -std::numeric_limits<float>::infinity());
        s.offer.start(s.pages);
        s.rank.assign(s.pages, m_queryBlock > 0 ? kAlways : kNotChosen);
        const Candidates::Row row = m_in.candidates.of(anchor, s.blocked);
        const bool topP = routed.budgetKind == BudgetKind::TopP;
        const float peak =
            topP && !m_scorer->areMass() ? m_in.signal.dots.greatest(s.scores.data(), s.pages) : 0.0F;
        for (std::size_t p = floor / m_page; p < s.pages; ++p) {
            const std::size_t first = std::max(floor, p * m_page);
            const std::size_t seen = std::min((p + 1) * m_page, anchor + 1) - first;
            std::size_t open = 0;
            if (m_queryBlock == 0 || p + 1 < s.pages)
                open = first < row.end ? countCandidates(row, first, first + seen) : 0;
            if (open > 0) {
                s.offer.add(p, s.scores[p]);
                s.rank[p] = kNotChosen;
            }
            if (topP) {
                double mass = weight(s.scores[p], peak);
                if (!m_scorer->areMass())
                    mass *= static_cast<double>(seen);
                const double share = static_cast<double>(open) / static_cast<double>(seen);
                s.offer.mass[p] = mass * share;
                s.offer.heldMass += mass * (1 - share);
                s.offer.allMass += mass;
            }
        }
        out.nanScores += s.offer.nanScores;
        s.allowed = routed.budgetKind == BudgetKind::Fraction
                        ? allowed(routed.budgetKind, routed.budget, s.offer.ranked.size()) * m_page
                        : allowed(routed.budgetKind, routed.budget, row.count);
        std::size_t chosen =
            chooseFrom(s.offer, routed.budgetKind, routed.budget, (s.allowed + m_page - 1) / m_page);
        if (routed.budgetKind == BudgetKind::Threshold && routed.newest > 0) {
            // Newest first among those that reach the bar.
            const auto end = s.offer.ranked.begin() + static_cast<std::ptrdiff_t>(chosen);
            std::sort(s.offer.ranked.begin(), end,
                      [](Ranked a, Ranked b) { return tokenOf(a) > tokenOf(b); });
            chosen = std::min(chosen, static_cast<std::size_t>(routed.newest));
        }
        s.bar = barOf(s.offer, routed.budgetKind, routed.budget, chosen);
        for (std::size_t place = 0; place < chosen; ++place)
            s.rank[tokenOf(s.offer.ranked[place])] = static_cast<std::uint32_t>(place + 1);
    }

    /// A known number of pages per query, where the candidates are those before a border: scores of several
    /// queries at a time, and the best pages from a stream of them. The same choice as chooseAt's.
    void chooseStreaming(std::size_t first, std::size_t last, BlockChoices& out) const {
        const RoutedPart& routed = m_in.routed();
        const std::size_t stride = (last - 1) / m_page + 1;
        std::vector<float> scores(kGroupRows * stride);
        std::vector<std::uint64_t> blocked;
        TopK top(m_in.signal.dots);
        for (std::size_t begin = first; begin < last; begin += kGroupRows) {
            const std::size_t rows = std::min(kGroupRows, last - begin);
            m_scorer->rows(begin, rows, m_page, scores.data(), stride);
            for (std::size_t query = begin; query < begin + rows; ++query) {
                RowAppender appender(out);
                if (m_in.fullRow(query)) {
                    appender.finish(std::numeric_limits<float>::quiet_NaN(), 0);
                    continue;
                }
                const float* const row = scores.data() + (query - begin) * stride;
                const Candidates::Row candidates = m_in.candidates.of(query, blocked);
                const std::size_t end = std::min(candidates.end, query + 1);
                const std::size_t whole = end / m_page; // pages that end at or before the border
                const bool cut = countCandidates(candidates, whole * m_page, end) > 0;
                const std::size_t open = m_openBefore[whole] + (cut ? 1U : 0U);
                const std::size_t keys = routed.budgetKind == BudgetKind::Fraction
                                             ? allowed(routed.budgetKind, routed.budget, open) * m_page
                                             : allowed(routed.budgetKind, routed.budget, candidates.count);
                top.start(std::min((keys + m_page - 1) / m_page, open));
                for (std::size_t p = 0; p < whole; p += TopK::kFeed)
                    top.feed(row + p, std::min(TopK::kFeed, whole - p), m_shut.data() + p / 64,
                             static_cast<std::uint32_t>(p));
                if (const std::uint64_t none = 0; cut)
                    top.feed(row + whole, 1, &none, static_cast<std::uint32_t>(whole));
                const TopK::Best best = top.finishUnranked();
                out.nanScores += top.nans();
                for (std::size_t n = 0; n < best.count; ++n) {
                    const std::size_t p = best.tokens[n], from = p * m_page;
                    const std::size_t to = std::min(end, from + m_page);
                    if (m_allOpen[p] != 0) // one run
                        appender.addByScore(from, to, row[p]);
                    else
                        forEachCandidateRun(candidates, from, to, [&](std::size_t low, std::size_t high) {
                            appender.addByScore(low, high, row[p]);
                        });
                }
                appender.finish(best.worst, keys);
            }
        }
    }

    [[nodiscard]] double weight(float score, float peak) const {
        if (score != score)
            return 0;
        return m_scorer->areMass() ? static_cast<double>(score)
                                   : std::exp(static_cast<double>(score) - static_cast<double>(peak));
    }

    void append(std::size_t query, Scratch& s, BlockChoices& out) const {
        RowAppender appender(out);
        const Candidates::Row row = m_in.candidates.of(query, s.blocked);
        const std::size_t end = std::min(row.end, query + 1);
        for (std::size_t p = 0; p * m_page < end; ++p) {
            const bool known = p < s.pages;
            const std::uint32_t rank = known ? s.rank[p] : m_queryBlock > 0 ? kAlways : kNotChosen;
            if (rank == kNotChosen)
                continue;
            const float score = known ? s.scores[p] : 0.0F; // later pages had none yet
            forEachCandidateRun(row, p * m_page, std::min(end, (p + 1) * m_page),
                                [&](std::size_t from, std::size_t to) {
                                    appender.addRun(from, to, score, rank == kAlways ? kRankKept : rank);
                                });
        }
        appender.finish(s.bar, s.allowed);
    }

    std::unique_ptr<PageScorer> m_scorer;
    std::size_t m_page;
    std::size_t m_queryBlock; ///< 0: each query chooses
    bool m_streams;
    std::vector<std::uint64_t> m_shut;       ///< bit p: page p holds no candidate of any query
    std::vector<std::uint8_t> m_allOpen;     ///< [pages] 1: always reads none of the page's keys
    std::vector<std::uint32_t> m_openBefore; ///< [pages + 1] how many pages before it hold a candidate
};

} // namespace

std::unique_ptr<SetChooser> sets::pages(const SetInput& in) {
    const SignalSpec& signal = *findSignal(in.routed().signal);
    std::unique_ptr<PageScorer> scorer = signal.pages != nullptr ? signal.pages(in) : pages::ofTokens(in);
    return std::make_unique<PageChooser>(in, std::move(scorer));
}

} // namespace fovea
