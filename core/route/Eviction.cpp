// Choices that depend on the attention of the hybrid run itself, row by row: the keys of a row depend on the
// softmax weights of the rows before it. With store evict a dropped key is never read again, as in a cache of
// fixed size; with store all it keeps its score and can be chosen again. accumulated: Zhang et al., H2O,
// 2023, 2306.14048: A_j, the sum of p^ over rows and the unit's heads; observed: divided by the rows that
// could see j; value_attention: Guo et al., VATP, 2024, 2406.12335: A_j |v_j|_1; last_row: Oren et al., TOVA,
// 2024, 2401.06104: p^ of the row before, mean over heads. Difference: H2O and TOVA first run the prompt with
// full attention, which is phase decode here. In other phases keys are evicted during the prompt too, so that
// decoding and prefill are the same computation.
#include "core/route/SetChoice.h"
#include "core/route/TextChoice.h"
#include <cmath>
#include <limits>

namespace fovea {

namespace {

enum class Score : std::uint8_t { Accumulated, Observed, ValueAttention, LastRow };

class Eviction final : public SetChooser {
public:
    Eviction(const SetInput& in, Score kind)
        : SetChooser(in), m_kind(kind), m_evicts(in.routed().store == Store::Evict),
          m_dim(in.signal.headDim()), m_firstKv(in.signal.kvHeadOf(in.firstHead())),
          m_kvHeads(in.signal.kvHeadOf(in.firstHead() + in.heads() - 1) + 1 - m_firstKv) {
        Run run(*this);
        for (std::size_t query = 0; query < in.signal.rows.last; ++query)
            run.row(query);
    }

    void choose(std::size_t first, std::size_t last, BlockChoices& out) const override {
        const std::size_t offset = m_in.signal.rows.first;
        for (std::size_t query = first; query < last; ++query) {
            const std::size_t r = query - offset;
            RowAppender appender(out);
            const auto runs = m_rows.list.runs.begin();
            out.list.runs.insert(out.list.runs.end(), runs + static_cast<std::ptrdiff_t>(m_rowBegin[r]),
                                 runs + static_cast<std::ptrdiff_t>(m_rowBegin[r + 1]));
            appender.finish(m_rows.threshold[r], m_rows.budget[r]);
        }
        if (first == offset)
            out.nanScores += m_rows.nanScores;
    }
    [[nodiscard]] bool giveRows(RoutedChoices& choices) override {
        choices.runs = std::move(m_rows.list.runs);
        choices.threshold = std::move(m_rows.threshold);
        choices.budget = std::move(m_rows.budget);
        choices.rowBegin.assign(m_rowBegin.begin(), m_rowBegin.end());
        choices.nanScores += m_rows.nanScores;
        return true;
    }
    [[nodiscard]] std::uint64_t macs() const override { return m_macs; }

private:
    /// The state between rows. Keys that can still be read are in slots, 16 per packed group.
    class Run {
    public:
        explicit Run(Eviction& owner)
            : m(owner), m_in(owner.m_in), m_heads(m_in.heads()), m_slotOf(m_in.signal.rows.last, kNoSlot),
              m_length(m_in.signal.rows.last, 0.0) {
            m.m_rowBegin.push_back(0);
        }

        void row(std::size_t query) {
            // A key that has left the native window cannot be read again.
            if (const std::size_t first = m_in.native().first(query);
                first > 0 && m_slotOf[first - 1] != kNoSlot)
                drop(first - 1);
            insert(query);
            const Candidates::Row candidates = m_in.candidates.of(query, m_blocked);
            m_offer.start(0);
            m_routed.clear();
            if (!m_in.fullRow(query))
                choose(query, candidates);
            attend(query);
        }

    private:
        static constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};

        void insert(std::size_t key) {
            if (m_free.empty()) {
                const auto first = static_cast<std::uint32_t>(m_keyOf.size());
                for (std::size_t n = kGroupKeys; n-- > 0;)
                    m_free.push_back(first + static_cast<std::uint32_t>(n));
                m_keyOf.resize(first + kGroupKeys, kNoSlot);
                m_score.resize(first + kGroupKeys, 0.0);
                for (std::size_t kv = 0; kv < m.m_kvHeads; ++kv) {
                    m_packed.resize(std::max(m_packed.size(), kv + 1));
                    m_packed[kv].resize(m_keyOf.size() * m.m_dim, 0.0F);
                }
            }
            const std::uint32_t slot = m_free.back();
            m_free.pop_back();
            m_keyOf[slot] = static_cast<std::uint32_t>(key);
            m_score[slot] = 0;
            m_slotOf[key] = slot;
            m_held.push_back(static_cast<std::uint32_t>(key));
            if (m.m_kind == Score::ValueAttention)
                m_length[key] = valueLength(key);
            for (std::size_t kv = 0; kv < m.m_kvHeads; ++kv) {
                const float* row = m_in.signal.key(m.m_firstKv + kv).row(key);
                float* group =
                    m_packed[kv].data() + slot / kGroupKeys * kGroupKeys * m.m_dim + slot % kGroupKeys;
                for (std::size_t d = 0; d < m.m_dim; ++d)
                    group[d * kGroupKeys] = row[d];
            }
        }
        void drop(std::size_t key) {
            m_held.erase(std::lower_bound(m_held.begin(), m_held.end(), key));
            m_keyOf[m_slotOf[key]] = kNoSlot;
            m_free.push_back(m_slotOf[key]);
            m_slotOf[key] = kNoSlot;
        }

        [[nodiscard]] float scoreOfKey(std::size_t key, std::size_t query) const {
            if (key == query) // no row has read it yet
                return std::numeric_limits<float>::infinity();
            double score = m_score[m_slotOf[key]];
            if (m.m_kind == Score::Observed)
                score /= static_cast<double>(query - key);
            if (m.m_kind == Score::ValueAttention)
                score *= m_length[key];
            return static_cast<float>(score);
        }
        /// |v_j|_1, over the unit's key-value heads.
        [[nodiscard]] double valueLength(std::size_t key) const {
            double sum = 0;
            for (std::size_t kv = 0; kv < m.m_kvHeads; ++kv) {
                const float* row = m_in.signal.value(m.m_firstKv + kv).row(key);
                for (std::size_t d = 0; d < m.m_dim; ++d)
                    sum += std::fabs(static_cast<double>(row[d]));
            }
            return sum;
        }

        void choose(std::size_t query, const Candidates::Row& candidates) {
            const RoutedPart& routed = m_in.routed();
            if (routed.budgetKind != BudgetKind::TopP && chooseByRanking(query, candidates))
                return;
            m_ranking.clear();
            const std::size_t end = std::min(candidates.end, query + 1);
            m_offer.start(routed.budgetKind == BudgetKind::TopP ? end : 0);
            m_alive.clear();
            for (const std::uint32_t key : m_keyOf)
                if (key < end && (candidates.blocked[key / 64] >> (key % 64) & 1U) == 0)
                    m_alive.push_back(key);
            for (const std::uint32_t key : m_alive)
                m_offer.add(key, scoreOfKey(key, query));
            if (routed.budgetKind == BudgetKind::TopP) {
                for (const std::uint32_t key : m_keyOf)
                    if (key < query)
                        m_offer.allMass += std::max(0.0, static_cast<double>(scoreOfKey(key, query)));
                double open = 0;
                for (const std::uint32_t key : m_alive) {
                    const float score = key < query ? scoreOfKey(key, query) : 0.0F;
                    m_offer.mass[key] = score > 0 ? static_cast<double>(score) : 0.0;
                    open += m_offer.mass[key];
                }
                m_offer.heldMass = m_offer.allMass - open;
            }
            m_allowed = allowed(routed.budgetKind, routed.budget, candidates.count);
            const std::size_t chosen = chooseFrom(m_offer, routed.budgetKind, routed.budget, m_allowed);
            m_bar = barOf(m_offer, routed.budgetKind, routed.budget, chosen);
            for (std::size_t place = 0; place < chosen; ++place)
                m_routed.push_back(std::uint64_t{tokenOf(m_offer.ranked[place])} << 32 | place);
            std::sort(m_routed.begin(), m_routed.end());
            if (m.m_evicts)
                for (std::size_t place = chosen; place < m_offer.ranked.size(); ++place)
                    if (tokenOf(m_offer.ranked[place]) != query) // its own row may still need it
                        drop(tokenOf(m_offer.ranked[place]));
        }

        /// The same choice from the ranking of the row before: scores grow a little from row to row, so that
        /// the order hardly changes and moving each key to its place takes few steps. Returns false, and
        /// changes nothing, if several keys would be dropped: their order decides about slots, and is that of
        /// `choose`.
        bool chooseByRanking(std::size_t query, const Candidates::Row& candidates) {
            const RoutedPart& routed = m_in.routed();
            const std::size_t end = std::min(candidates.end, query + 1);
            const auto stamp = static_cast<std::uint32_t>(query + 1);
            m_stamp.resize(m_slotOf.size(), 0);
            m_place.resize(m_slotOf.size(), 0);
            m_alive.clear();
            for (const std::uint32_t key : m_held)
                if (key < end && (candidates.blocked[key / 64] >> (key % 64) & 1U) == 0) {
                    m_alive.push_back(key);
                    m_stamp[key] = stamp;
                }
            const std::size_t count = m_alive.size();
            const std::size_t allowedKeys = allowed(routed.budgetKind, routed.budget, candidates.count);
            const bool counted = routed.budgetKind != BudgetKind::Threshold;
            if (counted && m.m_evicts && count > allowedKeys + 1)
                return false;
            m_allowed = allowedKeys;
            std::vector<Ranked>& ranked = m_offer.ranked;
            // Scores that are made anew for each row are sorted anew.
            std::size_t steps = m.m_kind == Score::LastRow ? 0 : 16 * count + 64;
            bool sorted = true;
            const auto place = [&](std::uint32_t key) {
                if (m_stamp[key] != stamp)
                    return;
                m_stamp[key] = 0;
                const float score = scoreOfKey(key, query);
                m_offer.nanScores += score != score ? 1U : 0U;
                const Ranked entry = rankedOf(score, key);
                ranked.push_back(entry);
                std::size_t at = ranked.size() - 1;
                for (; steps > 0 && at > 0 && ranked[at - 1] < entry; --at, --steps)
                    ranked[at] = ranked[at - 1];
                ranked[at] = entry;
                sorted = sorted && steps > 0;
            };
            for (const std::uint32_t key : m_ranking)
                place(key);
            for (const std::uint32_t key : m_alive)
                place(key);
            if (!sorted)
                std::sort(ranked.begin(), ranked.end(), std::greater<>());
            std::size_t chosen = std::min(allowedKeys, count);
            if (!counted) {
                const auto tau = static_cast<float>(routed.budget);
                for (chosen = 0;
                     chosen < count && (routed.budget <= kNoBar || scoreOf(ranked[chosen]) >= tau);)
                    ++chosen;
            }
            m_bar = barOf(m_offer, routed.budgetKind, routed.budget, chosen);
            m_ranking.clear();
            for (std::size_t n = 0; n < count; ++n) {
                m_ranking.push_back(tokenOf(ranked[n]));
                m_place[tokenOf(ranked[n])] = static_cast<std::uint32_t>(n);
            }
            for (const std::uint32_t key : m_alive)
                if (m_place[key] < chosen)
                    m_routed.push_back(std::uint64_t{key} << 32 | m_place[key]);
            if (m.m_evicts)
                for (std::size_t n = chosen; n < count; ++n)
                    if (tokenOf(ranked[n]) != query) // its own row may still need it
                        drop(tokenOf(ranked[n]));
            return true;
        }

        /// The row's softmax over what it reads, added to the scores of the keys.
        void attend(std::size_t query) {
            const std::size_t groups = m_keyOf.size() / kGroupKeys;
            const std::size_t slots = m_keyOf.size();
            const bool full = m_in.fullRow(query);
            const LocalReads& local = m_in.candidates.local();
            const std::size_t band = local.bandFirst(query);
            m_reads.resize(slots);
            // A free slot has the greatest number of all and is read by nobody.
            const auto least = static_cast<std::uint32_t>(full ? 0 : band);
            for (std::size_t slot = 0; slot < slots; ++slot)
                m_reads[slot] = m_keyOf[slot] - least < kNoSlot - least ? 1U : 0U;
            if (!full && (local.dilated() || !m_in.candidates.always().keys.empty()))
                for (const std::uint32_t key : m_held)
                    if (key < band && ((local.dilated() && local.contains(query, key)) ||
                                       m_in.candidates.always().reads(query, key)))
                        m_reads[m_slotOf[key]] = 1;
            for (const std::uint64_t entry : m_routed)
                m_reads[m_slotOf[static_cast<std::size_t>(entry >> 32)]] = 1;
            std::uint64_t reading = 0;
            for (const std::uint32_t reads : m_reads)
                reading += reads;
            if (reading == 0) // a row that reads nothing reads itself
                m_reads[m_slotOf[query]] = static_cast<std::uint32_t>(++reading);
            m.m_macs += std::uint64_t{slots} * m_heads * m.m_dim; // every slot is scored, read or not
            if (m.m_kind == Score::LastRow)
                std::fill(m_score.begin(), m_score.end(), 0.0);
            m_logits.resize(slots);
            const LogitForm form = m_in.form();
            const double share = m.m_kind == Score::LastRow ? 1.0 / static_cast<double>(m_heads) : 1.0;
            for (std::size_t h = 0; h < m_heads; ++h) {
                const std::size_t head = m_in.firstHead() + h;
                const std::size_t kv = m_in.signal.kvHeadOf(head) - m.m_firstKv;
                m_in.signal.dots.floatTile(m_packed[kv].data(), groups, form.scale,
                                           m_in.signal.query(head).row(query), m.m_dim, 1, m.m_dim,
                                           m_logits.data(), slots);
                form.capAll(m_logits.data(), slots);
                for (std::size_t slot = 0; slot < slots; ++slot)
                    m_logits[slot] =
                        m_reads[slot] != 0 ? m_logits[slot] : -std::numeric_limits<float>::infinity();
                const float peak = m_in.signal.dots.greatest(m_logits.data(), slots);
                if (!(std::fabs(peak) <= std::numeric_limits<float>::max()))
                    continue; // nothing finite to weigh
                const double total = m_in.signal.dots.exponentials(m_logits.data(), slots, 1, peak);
                for (std::size_t slot = 0; slot < slots; ++slot) // 0 where it is not read
                    m_score[slot] += share * static_cast<double>(m_logits[slot]) / total;
            }
            record(query);
        }

        void record(std::size_t query) {
            if (query < m_in.signal.rows.first)
                return;
            RowAppender appender(m.m_rows);
            std::vector<ChosenRun>& runs = m.m_rows.list.runs;
            for (const std::uint64_t entry : m_routed) {
                const auto place = static_cast<std::uint32_t>(entry);
                const auto key = static_cast<std::uint32_t>(entry >> 32);
                const float score = scoreOf(m_offer.ranked[place]);
                if (place + std::size_t{1} < kLastRank) // no two have one rank: each is a run of its own
                    runs.push_back({key, 1, static_cast<std::uint16_t>(place + 1), score});
                else
                    appender.add(key, score, place + std::size_t{1});
            }
            const bool full = m_in.fullRow(query);
            appender.finish(full ? std::numeric_limits<float>::quiet_NaN() : m_bar, full ? 0 : m_allowed);
            m.m_rows.nanScores += m_offer.nanScores;
            m.m_rowBegin.push_back(m.m_rows.list.runs.size());
        }

        Eviction& m;
        const SetInput& m_in;
        std::size_t m_heads;
        std::vector<std::uint32_t> m_keyOf; ///< [slots] kNoSlot: free
        std::vector<std::uint32_t> m_slotOf;
        std::vector<std::uint32_t> m_free;
        std::vector<std::uint32_t> m_held;    ///< keys in slots, ascending
        std::vector<std::uint32_t> m_ranking; ///< candidates of the row before, best first; or empty
        std::vector<std::uint32_t> m_stamp;   ///< [keys] marks this row's candidates that are not ranked yet
        std::vector<std::uint32_t> m_place;   ///< [keys] in the ranking
        std::vector<std::vector<float>> m_packed; ///< [kv][slots / 16][D][16]
        std::vector<double> m_score;              ///< [slots] of the keys in them
        std::vector<double> m_length;             ///< [keys] |v_j|_1, for value_attention
        std::vector<std::uint64_t> m_blocked;
        std::vector<std::uint32_t> m_alive;
        std::vector<std::uint64_t> m_routed; ///< key << 32 | place
        std::vector<std::uint32_t> m_reads;  ///< [slots] 1: the row reads it
        std::vector<float> m_logits;
        Offer m_offer;
        std::size_t m_allowed = 0;
        float m_bar = 0;
    };

    Score m_kind;
    bool m_evicts;
    std::size_t m_dim;
    std::size_t m_firstKv;
    std::size_t m_kvHeads;
    BlockChoices m_rows; ///< of the rows asked for
    std::vector<std::size_t> m_rowBegin;
    std::uint64_t m_macs = 0;
};

} // namespace

std::unique_ptr<SetChooser> sets::accumulated(const SetInput& in) {
    return std::make_unique<Eviction>(in, Score::Accumulated);
}

std::unique_ptr<SetChooser> sets::observed(const SetInput& in) {
    return std::make_unique<Eviction>(in, Score::Observed);
}

std::unique_ptr<SetChooser> sets::valueAttention(const SetInput& in) {
    return std::make_unique<Eviction>(in, Score::ValueAttention);
}

std::unique_ptr<SetChooser> sets::lastRow(const SetInput& in) {
    return std::make_unique<Eviction>(in, Score::LastRow);
}

} // namespace fovea
