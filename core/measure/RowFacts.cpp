#include "core/measure/RowFacts.h"
#include "core/measure/HeadReads.h"
#include "core/route/ReadSets.h"
#include <algorithm>
#include <array>
#include <cmath>

namespace fovea {

std::string_view readKindName(ReadKind kind) {
    static constexpr std::array<std::string_view, 21> kNames{
        "after_query",     "not_run",      "full_head",    "window",
        "chunk",           "itself",       "sink",         "pinned_key",
        "special",         "separator",    "pinned_query", "outside_phase",
        "routed_key",      "routed_query", "summary",      "linear_state",
        "recurrent_state", "mean_value",   "skipped",      "outside_native_window",
        "global_block"};
    return kNames[static_cast<std::size_t>(kind)];
}

RowFacts::RowFacts(const TileSource& source, int head, std::size_t query)
    : m_source(coveredSource(source, head, query)), m_head(head), m_query(query),
      m_row(makeRow(head, query, m_source)) {
    if (!covered())
        return;
    const AttentionPlan& plan = *m_source.plan;
    for (std::size_t j = 0; j < m_row.full.size(); ++j)
        if (m_row.reason[j] < Reason::Far) {
            ++m_keptKeys;
            m_keptMass += static_cast<double>(m_row.full[j]);
        }
    m_readsAll = plan.readsAll(head);
    m_signal = plan.signalOf(head);
    if (const RoutedChoices* choices = plan.choicesOf(head);
        choices != nullptr && query >= choices->rows.first && query < choices->rows.last)
        m_choices = choices;
    if (m_choices != nullptr)
        m_chosen = m_choices->chosenKeys(query);
    if (const LayerPolicy* set = plan.setOf(head))
        m_always = set->always.get();
}

bool RowFacts::fullHead() const {
    return covered() && m_source.plan->partsOf(m_head).readsAll();
}

double RowFacts::mass(std::size_t first, std::size_t last) const {
    double sum = 0;
    for (std::size_t key = first; key < std::min(last, m_row.full.size()); ++key)
        sum += static_cast<double>(m_row.full[key]);
    return sum;
}

ReadKind RowFacts::kind(std::size_t key) const {
    const bool later = m_source.input.later; // an encoder
    if (key > m_query && !later)
        return ReadKind::AfterQuery;
    if (!m_source.input.native().lets(m_query, key))
        return ReadKind::OutsideNative;
    if (!covered())
        return ReadKind::NotRun;
    if (fullHead())
        return ReadKind::FullHead;
    switch (m_row.reason[key]) {
    case Reason::Local: {
        LocalPart part = m_source.plan->partsOf(m_head).local;
        const NativeWindow native = m_source.input.native();
        if (later)
            return key == m_query && part.window == 0 ? ReadKind::Itself : ReadKind::Window;
        if (LocalReads(part, native).contains(m_query, key)) {
            part.chunk = 0;
            return LocalReads(part, native).contains(m_query, key) ? ReadKind::Window : ReadKind::Chunk;
        }
        return ReadKind::Itself;
    }
    case Reason::Always:
        return alwaysKind(key);
    case Reason::Routed: {
        const bool readsAllByRole = m_choices != nullptr && m_query < m_choices->queryRole.size() &&
                                    m_choices->queryRole[m_query] == kReadsAll;
        return readsAllByRole || !chosen(key) ? ReadKind::RoutedQuery : ReadKind::RoutedKey;
    }
    case Reason::Far:
        return farKind();
    case Reason::Outside:
    case Reason::Skipped:
        break;
    }
    return ReadKind::Skipped;
}

ReadKind RowFacts::alwaysKind(std::size_t key) const {
    const HeadParts& parts = m_source.plan->partsOf(m_head);
    const TokenFacts& facts = *m_source.plan->facts;
    const auto within = [](const PinnedRange& range, std::size_t token) {
        const auto at = static_cast<std::int64_t>(token);
        return at >= range.first && at <= range.last;
    };
    const std::vector<PinnedRange>& pinned = parts.always.pinned;
    const bool encoder = m_source.input.later; // it has no sets, and its global tokens no order
    if (encoder && m_source.plan->policy->mix.parity == Parity::BigBird)
        return ReadKind::GlobalBlock;
    const auto marked = [key](bool asked, const std::vector<std::uint8_t>& flags) {
        return asked && key < flags.size() && flags[key] != 0;
    };
    const bool sink = static_cast<std::int64_t>(key) < parts.always.sinks;
    const bool pinnedKey = std::any_of(pinned.begin(), pinned.end(), [&](const PinnedRange& r) {
        return r.role != Role::Queries && within(r, key);
    });
    const bool special = marked(parts.always.special, facts.special);
    // By its own right, not only because the query reads everything.
    const bool ownRight =
        encoder ? sink || pinnedKey || special || marked(parts.always.punctuation, facts.punctuation)
                : m_always != nullptr && m_always->reads(m_query, key);
    if (ownRight)
        return sink        ? ReadKind::Sink
               : pinnedKey ? ReadKind::PinnedKey
               : special   ? ReadKind::Special
                           : ReadKind::Separator;
    return std::any_of(pinned.begin(), pinned.end(),
                       [&](const PinnedRange& r) { return r.role != Role::Keys && within(r, m_query); })
               ? ReadKind::PinnedQuery
               : ReadKind::OutsidePhase;
}

ReadKind RowFacts::farKind() const {
    if (const std::vector<std::uint8_t>* silent = m_source.plan->silentRows(m_head);
        silent != nullptr && (*silent)[m_query] != 0)
        return ReadKind::MeanValue;
    switch (m_source.plan->partsOf(m_head).far.far) {
    case Far::Linear:
        return ReadKind::LinearState;
    case Far::Recurrent:
        return ReadKind::Recurrent;
    case Far::Summaries:
    case Far::Projection: // a mean of keys is read in place of its tokens
    case Far::None:
        break;
    }
    return ReadKind::Summary;
}

std::optional<ChosenKey> RowFacts::chosen(std::size_t key) const {
    const auto at = std::lower_bound(m_chosen.begin(), m_chosen.end(), key,
                                     [](const ChosenKey& chosen, std::size_t k) { return chosen.key < k; });
    return at != m_chosen.end() && at->key == key ? std::optional(*at) : std::nullopt;
}

std::size_t RowFacts::rank(std::size_t key) const {
    return 1 + static_cast<std::size_t>(std::count_if(m_row.full.begin(), m_row.full.end(),
                                                      [&](float p) { return p > m_row.full[key]; }));
}

RouterFacts RowFacts::router(std::size_t key, const std::vector<float>& scores) const {
    RouterFacts facts;
    const auto known = [](float x) { return std::isnan(x) ? std::nullopt : std::optional(x); };
    if (m_choices != nullptr && kind(key) == ReadKind::RoutedQuery) {
        if (m_query < m_choices->queryScore.size()) {
            facts.score = known(m_choices->queryScore[m_query]);
            facts.threshold = known(m_choices->queryThreshold[m_query]);
        }
        if (m_query < m_choices->queryRank.size()) {
            facts.rank = m_choices->queryRank[m_query];
            facts.budget = m_choices->queryBudget[m_query];
        }
        return facts;
    }
    if (m_choices != nullptr) {
        const std::size_t row = m_query - m_choices->rows.first;
        if (row < m_choices->budget.size())
            facts.budget = m_choices->budget[row];
        if (row < m_choices->threshold.size())
            facts.threshold = known(m_choices->threshold[row]);
        if (const std::optional<ChosenKey> choice = chosen(key))
            return {known(choice->score), known(choice->threshold), choice->rank, choice->budget};
    }
    if (key < scores.size() && !std::isnan(scores[key])) {
        facts.score = scores[key];
        facts.rank = 1;
        for (std::size_t j = 0; j < scores.size(); ++j)
            facts.rank += scores[j] > scores[key] || (j > key && scores[j] == scores[key]) ? 1U : 0U;
    }
    return facts;
}

} // namespace fovea
