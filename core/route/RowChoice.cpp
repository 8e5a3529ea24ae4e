#include "core/base/Check.h"
#include "core/route/ChoiceScratch.h"
#include "core/route/TextChoice.h"
#include <cmath>

namespace fovea {

namespace {

std::uint32_t clipped(std::size_t keys) {
    return static_cast<std::uint32_t>(std::min<std::size_t>(keys, kAll));
}

/// The score that a rank value is recorded as.
float recorded(float rankValue, float scoreFactor, const float* logSum) {
    return logSum != nullptr ? std::exp(rankValue - *logSum) : scoreFactor * rankValue;
}

} // namespace

void RowChooser::FreeScratch::operator()(Scratch* scratch) const {
    delete scratch;
}

std::unique_ptr<RowChooser::Scratch, RowChooser::FreeScratch>
RowChooser::makeScratch(const DotKernels& dots) {
    return std::unique_ptr<Scratch, FreeScratch>(new Scratch(dots));
}

void RowChooser::fill(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys, float* out,
                      std::size_t stride) const {
    if (m_pairs != nullptr) {
        m_pairs->tile(query, rows, key, keys, out, stride);
        return;
    }
    for (std::size_t r = 0; r < rows; ++r)
        std::copy_n(m_tokens->data() + key, keys, out + r * stride);
}

void RowChooser::choose(std::size_t first, std::size_t last, Scratch& scratch, BlockChoices& out) const {
    if (first == last)
        return;
    const bool counted =
        m_routed.budgetKind == BudgetKind::Count || m_routed.budgetKind == BudgetKind::Fraction;
    if (m_pairs == nullptr && m_routed.budgetKind == BudgetKind::Count && m_candidates.growing())
        chooseGrowing(first, last, scratch, out);
    else if (counted && (m_pairs == nullptr || !m_pairs->use(first).probability))
        chooseSifting(first, last, scratch, out);
    else
        chooseWholeRows(first, last, scratch, out);
}

/// Appends one row: ranks by place in `best`, keys ascending, keys beyond the query dropped.
void RowChooser::append(std::size_t query, const Ranked* best, std::size_t count, float scoreFactor,
                        const float* logSum, std::size_t allowedKeys, std::vector<std::uint64_t>& byKey,
                        BlockChoices& out) const {
    byKey.clear();
    for (std::size_t place = 0; place < count; ++place)
        if (tokenOf(best[place]) <= query)
            byKey.push_back(std::uint64_t{tokenOf(best[place])} << 32 | place);
    std::sort(byKey.begin(), byKey.end());
    for (const std::uint64_t entry : byKey) {
        const auto place = static_cast<std::uint32_t>(entry);
        const auto key = static_cast<std::size_t>(entry >> 32);
        out.list.add(key, key + 1, recorded(scoreOf(best[place]), scoreFactor, logSum),
                     storedRank(place + std::size_t{1}));
    }
    out.counts.push_back(static_cast<std::uint32_t>(out.list.endRow()));
    appendBounds(count > 0 ? recorded(scoreOf(best[count - 1]), scoreFactor, logSum)
                           : std::numeric_limits<float>::quiet_NaN(),
                 allowedKeys, out);
}

/// The same of what a stream has placed.
void RowChooser::append(std::size_t query, const TopK::Places& top, float scoreFactor, const float* logSum,
                        std::size_t allowedKeys, BlockChoices& out) const {
    // No two keys have one rank, so each is a run of its own.
    std::vector<ChosenRun>& runs = out.list.runs;
    const std::size_t begin = runs.size();
    runs.resize(begin + top.held);
    float worst = std::numeric_limits<float>::quiet_NaN();
    std::size_t end = begin;
    for (std::size_t n = 0; n < top.held; ++n) {
        const std::uint32_t place = top.places[n];
        if (place >= top.chosen)
            continue;
        // The number as its rank holds it: one zero, one NaN.
        const float score = recorded(scoreOf(rankedOf(top.values[n], top.tokens[n])), scoreFactor, logSum);
        if (place + 1 == top.chosen)
            worst = score;
        if (top.tokens[n] > query)
            continue;
        runs[end++] = {top.tokens[n], 1, storedRank(place + std::size_t{1}), score};
    }
    runs.resize(end);
    out.counts.push_back(static_cast<std::uint32_t>(out.list.endRow()));
    appendBounds(worst, allowedKeys, out);
}

/// The same of what a stream has chosen, with ranks that follow from the scores. Only where no row chooses
/// keys after its query, because those would take ranks.
void RowChooser::append(const TopK::Best& best, float scoreFactor, std::size_t allowedKeys,
                        BlockChoices& out) const {
    // No two keys have one rank, so each is a run of its own.
    std::vector<ChosenRun>& runs = out.list.runs;
    const std::size_t begin = runs.size();
    runs.resize(begin + best.count);
    for (std::size_t n = 0; n < best.count; ++n)
        runs[begin + n] = {best.tokens[n], 1, kRankByScore, best.values[n]};
    out.counts.push_back(static_cast<std::uint32_t>(out.list.endRow()));
    appendBounds(recorded(best.worst, scoreFactor, nullptr), allowedKeys, out);
}

void RowChooser::appendBounds(float worst, std::size_t allowedKeys, BlockChoices& out) const {
    out.budget.push_back(clipped(allowedKeys));
    out.threshold.push_back(m_routed.budgetKind == BudgetKind::Threshold ? static_cast<float>(m_routed.budget)
                                                                         : worst);
}

/// For one score per token and growing candidates: the best k are kept from query to query, and a query that
/// adds nothing better repeats the previous row.
void RowChooser::chooseGrowing(std::size_t first, std::size_t last, Scratch& scratch,
                               BlockChoices& out) const {
    const std::vector<float>& scores = *m_tokens;
    const std::size_t k = std::min(static_cast<std::size_t>(m_routed.budget), m_candidates.tokens());
    std::vector<Ranked> best; // best first
    std::size_t seen = 0;
    std::size_t rowBegin = 0;
    bool fresh = false; // whether the previous row has the same choice as `best`
    for (std::size_t query = first; query < last; ++query) {
        const Candidates::Row row = m_candidates.of(query, scratch.blocked);
        if (m_candidates.always().queryRole[query] != 0) {
            append(query, nullptr, 0, 1, nullptr, static_cast<std::size_t>(m_routed.budget), scratch.byKey,
                   out);
            fresh = false;
            continue;
        }
        if (seen == 0 && row.end > 0) {
            scratch.top.start(k);
            for (std::size_t key = 0; key < row.end; key += TopK::kFeed)
                scratch.top.feed(scores.data() + key, std::min(TopK::kFeed, row.end - key),
                                 row.blocked + key / 64, static_cast<std::uint32_t>(key));
            const TopK::Places top = scratch.top.finish();
            best.resize(top.chosen);
            for (std::size_t n = 0; n < top.held; ++n)
                if (top.places[n] < top.chosen)
                    best[top.places[n]] = rankedOf(top.values[n], top.tokens[n]);
            seen = row.end;
            fresh = false;
        }
        for (; seen < row.end; ++seen) {
            if ((row.blocked[seen / 64] >> (seen % 64) & 1U) != 0)
                continue;
            const Ranked candidate = rankedOf(scores[seen], static_cast<std::uint32_t>(seen));
            if (best.size() >= k && (k == 0 || candidate < best.back()))
                continue;
            if (best.size() == k)
                best.pop_back();
            best.insert(std::upper_bound(best.begin(), best.end(), candidate, std::greater<>()), candidate);
            fresh = false;
        }
        if (!fresh) {
            rowBegin = out.list.runs.size();
            append(query, best.data(), best.size(), 1, nullptr, static_cast<std::size_t>(m_routed.budget),
                   scratch.byKey, out);
            fresh = true;
            continue;
        }
        const std::size_t count = out.counts.back();
        std::vector<ChosenRun>& runs = out.list.runs;
        const std::size_t end = runs.size();
        runs.resize(end + count);
        std::copy_n(runs.begin() + static_cast<std::ptrdiff_t>(rowBegin), count,
                    runs.begin() + static_cast<std::ptrdiff_t>(end));
        rowBegin = end;
        out.counts.push_back(static_cast<std::uint32_t>(out.list.endRow()));
        out.budget.push_back(out.budget.back());
        out.threshold.push_back(out.threshold.back());
    }
}

/// For budgets and scores that need the whole row of a query: mass, probability, a threshold on the recorded
/// score.
void RowChooser::chooseWholeRows(std::size_t first, std::size_t last, Scratch& scratch,
                                 BlockChoices& out) const {
    const std::size_t longest = m_candidates.scope() == Scope::Sequence ? m_candidates.tokens() : last;
    const std::size_t stride = (longest + kGroupKeys - 1) / kGroupKeys * kGroupKeys;
    AlignedBuffer<float> tile(kGroupRows * stride);
    for (std::size_t query = first; query < last; query += kGroupRows) {
        const std::size_t count = std::min(kGroupRows, last - query);
        const std::size_t begin = m_candidates.native().first(query) / kGroupKeys * kGroupKeys;
        fill(query, count, begin, longest - begin, tile.data() + begin, stride);
        for (std::size_t r = 0; r < count; ++r)
            wholeRow(query + r, useOf(query + r), tile.data() + r * stride, scratch, out);
    }
}

void RowChooser::wholeRow(std::size_t query, const RankUse& use, float* row, Scratch& scratch,
                          BlockChoices& out) const {
    const Candidates::Row candidates = m_candidates.of(query, scratch.blocked);
    const std::size_t seen = query + 1;
    const std::size_t first = m_candidates.native().first(query);
    std::fill(row, row + first, -std::numeric_limits<float>::infinity()); // no part of the row's softmax
    const bool topP = m_routed.budgetKind == BudgetKind::TopP;
    float logSum = 0;
    double total = 0;
    if (use.probability || topP) {
        scratch.mass.assign(row, row + seen);
        if (m_tokenMass) {
            for (float& mass : scratch.mass) {
                mass = mass > 0 ? mass : 0.0F;
                total += static_cast<double>(mass);
            }
        } else {
            float* const mass =
                scratch.mass.data() + first; // a soft-cap would give weight to what is outside
            const std::size_t reads = seen - first;
            const float factor = use.asLogits(mass, reads);
            const float peak = factor * m_dots.greatest(mass, reads);
            total = m_dots.exponentials(mass, reads, factor, peak);
            logSum = peak + static_cast<float>(std::log(total));
        }
    }
    if (use.probability) // what comes after the query has probability 0
        std::fill(row + seen, row + std::max(seen, candidates.end), -std::numeric_limits<float>::infinity());
    const float* logSumOrNone = use.probability ? &logSum : nullptr;

    const std::size_t allowedKeys = allowed(m_routed.budgetKind, m_routed.budget, candidates.count);
    if (!topP && m_routed.budgetKind != BudgetKind::Threshold) {
        scratch.top.start(std::min(allowedKeys, candidates.count));
        for (std::size_t key = candidates.begin / 64 * 64; key < candidates.end; key += TopK::kFeed)
            scratch.top.feed(row + key, std::min(TopK::kFeed, candidates.end - key),
                             candidates.blocked + key / 64, static_cast<std::uint32_t>(key));
        append(query, scratch.top.finish(), use.scoreFactor, logSumOrNone, allowedKeys, out);
        out.nanScores += scratch.top.nans();
        return;
    }

    std::vector<Ranked>& ranked = scratch.ranked;
    ranked.clear();
    const auto tau = static_cast<float>(m_routed.budget);
    const bool noBar = topP || m_routed.budget <= kNoBar;
    double open = 0; // mass of the candidates
    for (std::size_t key = candidates.begin; key < candidates.end; ++key) {
        if ((candidates.blocked[key / 64] >> (key % 64) & 1U) != 0)
            continue;
        out.nanScores += row[key] != row[key] ? 1U : 0U;
        if (topP)
            open += static_cast<double>(scratch.mass[key]);
        if (noBar || recorded(row[key], use.scoreFactor, logSumOrNone) >= tau)
            ranked.push_back(rankedOf(row[key], static_cast<std::uint32_t>(key)));
    }
    std::sort(ranked.begin(), ranked.end(), std::greater<>());
    std::size_t count = ranked.size();
    if (topP && m_routed.budget < 1) {
        double mass = total - open;
        for (count = 0; count < ranked.size() && mass < m_routed.budget * total; ++count)
            mass += static_cast<double>(scratch.mass[tokenOf(ranked[count])]);
    }
    append(query, ranked.data(), count, use.scoreFactor, logSumOrNone, allowedKeys, scratch.byKey, out);
}

} // namespace fovea
