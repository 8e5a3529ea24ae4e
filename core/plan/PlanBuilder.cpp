#include "core/plan/PlanBuilder.h"
#include "core/base/Check.h"
#include <algorithm>
#include <bit>

namespace fovea {

PlanBuilder::PlanBuilder(const LocalReads& local, const AlwaysReads& always, const RoutedChoices* routed,
                         std::size_t tokens, RowRange rows, Unread unread)
    : m_local(local), m_always(always), m_routed(routed), m_tokens(tokens), m_rows(rows), m_unread(unread),
      m_writer(tokens, rows, local.native()) {
    FOVEA_ASSERT(rows.first <= rows.last && rows.last <= tokens);
    FOVEA_ASSERT(routed == nullptr || rows.first == rows.last ||
                 (routed->rows.first <= rows.first && routed->rows.last >= rows.last));
}

bool PlanBuilder::inQueryRole(std::size_t query) const {
    return m_always.queryRole[query] != 0 ||
           (m_routed != nullptr && !m_routed->queryRole.empty() && m_routed->queryRole[query] == kReadsAll);
}

bool PlanBuilder::keysMissing() const {
    return m_routed != nullptr && m_routed->silentHaveNoKeys;
}

/// Rows of a text whose silent tokens are not read: bands have holes, so all keys are written as masks. Only
/// few rows and keys are left.
void PlanBuilder::collectSparse(const Lanes& lanes) {
    for (std::size_t t = 0; t < lanes.count; ++t) {
        if ((lanes.active & laneBit(t)) == 0)
            continue;
        const std::size_t query = lanes.first + t;
        const bool full = inQueryRole(query);
        const std::vector<std::uint32_t> chosen = m_routed->row(query);
        for (std::size_t key = m_local.native().first(query); key <= query; ++key) {
            if (m_routed->silent[key] != 0)
                continue;
            const bool always = m_always.queryRole[query] != 0 || m_always.reads(query, key);
            if (m_local.contains(query, key))
                m_writer.addMask(key, laneBit(t), Reason::Local);
            else if (always)
                m_writer.addMask(key, laneBit(t), Reason::Always);
            else if (full ||
                     std::binary_search(chosen.begin(), chosen.end(), static_cast<std::uint32_t>(key)))
                m_writer.addMask(key, laneBit(t), Reason::Routed);
        }
    }
}

HeadPlan PlanBuilder::build() {
    std::vector<std::uint32_t> queryRows;
    const bool phases = byPhases();
    for (std::size_t phase = 0; phases && phase < m_local.dilation(); ++phase)
        addPhase(phase);
    for (std::size_t first = m_rows.first; first < m_rows.last;) {
        const std::size_t last = std::min(m_rows.last, (first / kBlock + 1) * kBlock);
        if (!phases)
            addRows(first, last - first);
        for (std::size_t query = first; query < last; ++query)
            if (inQueryRole(query) && !keysMissing())
                queryRows.push_back(static_cast<std::uint32_t>(query));
        first = last;
    }
    for (std::size_t first = 0; first < queryRows.size(); first += kBlock) {
        const auto begin = queryRows.begin() + static_cast<std::ptrdiff_t>(first);
        addQueryRows(
            {begin, begin + static_cast<std::ptrdiff_t>(std::min(kBlock, queryRows.size() - first))});
    }
    return m_writer.finish();
}

void PlanBuilder::addRows(std::size_t first, std::size_t count) {
    Lanes lanes(first, count);
    for (std::size_t t = 0; t < count; ++t) {
        const std::size_t query = first + t;
        const auto hi = static_cast<std::uint32_t>(query + 1);
        if (inQueryRole(query) && !keysMissing()) {
            lanes.band[t] = {hi, hi};
            continue;
        }
        if (m_routed != nullptr && !m_routed->silent.empty() && m_routed->silent[query] != 0) {
            lanes.band[t] = {hi, hi};
            continue;
        }
        lanes.active |= laneBit(t);
        lanes.band[t] = {keysMissing() ? hi : static_cast<std::uint32_t>(m_local.bandFirst(query)), hi};
        lanes.end = query + 1;
    }
    if (lanes.active == 0)
        return;
    lanes.measure();
    collectMasks(lanes);
    if (lanes.active == 0)
        return;

    m_writer.openBlock(lanes);
    m_writer.tiles(lanes);
    m_writer.gathers(lanes);
    m_writer.closeBlock();
}

/// Blocks of queries at the distance of the dilation are worthwhile if they can be filled and the window is
/// wide enough for a tile. They cannot be used with routed keys: whether a key is computed for a whole block
/// depends on the other queries of the block, and a later token must not change the rounding of a much
/// earlier one.
bool PlanBuilder::byPhases() const {
    return m_local.dilated() && !m_local.chunked() && m_routed == nullptr && m_always.until.empty() &&
           !m_local.native().limits(m_tokens) && m_local.window() >= ItemWriter::kDenseKeys &&
           m_rows.last - m_rows.first >= kBlock * m_local.dilation();
}

void PlanBuilder::addPhase(std::size_t phase) {
    const std::size_t step = m_local.dilation();
    std::vector<std::uint32_t> queries;
    for (std::size_t query = m_rows.first + (phase + step - m_rows.first % step) % step; query < m_rows.last;
         query += step) {
        if (!inQueryRole(query))
            queries.push_back(static_cast<std::uint32_t>(query));
        if (queries.size() == kBlock) {
            addPhaseRows(queries);
            queries.clear();
        }
    }
    if (!queries.empty())
        addPhaseRows(queries);
}

/// Queries of one phase: their dilated windows as strided tiles, all other keys as masks.
void PlanBuilder::addPhaseRows(const std::vector<std::uint32_t>& queries) {
    Lanes lanes(queries);
    for (std::size_t t = 0; t < queries.size(); ++t)
        lanes.band[t] = {queries[t] + 1, queries[t] + 1};
    lanes.end = queries.back() + std::size_t{1};
    lanes.measure();
    collectMasks(lanes);

    m_writer.openBlock(lanes);
    m_writer.strided(lanes, m_local.dilation(), m_local.window());
    m_writer.tiles(lanes);
    m_writer.sortBlock();
    m_writer.gathers(lanes);
    m_writer.closeBlock();
}

/// Fills the masks in order of precedence, so that each pair counts for its first reason. A lane that reads
/// nothing gets its own key as band, or becomes inactive.
void PlanBuilder::collectMasks(Lanes& lanes) {
    if (keysMissing()) {
        collectSparse(lanes); // a query that is not silent reads at least itself; nothing is left to do
        return;
    }
    std::uint64_t reading = 0;
    for (std::size_t t = 0; t < lanes.count; ++t) {
        if ((lanes.active & laneBit(t)) == 0)
            continue;
        const LaneBound lane = lanes.band[t];
        if (lane.lo < lane.hi)
            reading |= laneBit(t);
        m_writer.countPairs(Reason::Local, lane.hi - lane.lo);
        if (lanes.list != nullptr) { // strided tiles read the window
            reading |= laneBit(t);
            m_writer.countPairs(Reason::Local,
                                std::min(m_local.window(), lanes.query(t) / m_local.dilation() + 1));
            continue;
        }
        m_local.forEachBelowBand(lanes.query(t),
                                 [&](std::size_t key) { m_writer.addMask(key, laneBit(t), Reason::Local); });
    }
    for (std::size_t n = 0; n < m_always.keys.size(); ++n) {
        const std::uint32_t key = m_always.keys[n];
        if (key >= lanes.bandLastFirst)
            break;
        const std::size_t until = m_always.until.empty() ? m_tokens : m_always.until[n];
        if (until <= lanes.first)
            continue;
        std::uint64_t mask = lanes.active;
        if (key >= lanes.leastEnd || key >= lanes.bandFirst) {
            mask = 0;
            for (std::size_t t = 0; t < lanes.count; ++t)
                if (key < lanes.band[t].lo && key < lanes.band[t].hi)
                    mask |= laneBit(t);
            mask &= lanes.active;
        }
        mask &= lowLanes(until - lanes.first);
        if (lanes.list != nullptr)
            for (std::uint64_t left = mask; left != 0; left &= left - 1)
                if (m_local.contains(lanes.query(static_cast<std::size_t>(std::countr_zero(left))), key))
                    mask &= ~(left & (~left + 1));
        reading |= mask;
        m_writer.addMask(key, mask, Reason::Always);
    }
    if (m_routed != nullptr)
        for (std::size_t t = 0; t < lanes.count; ++t) {
            if ((lanes.active & laneBit(t)) == 0)
                continue;
            for (const ChosenRun& run : m_routed->runsOf(lanes.first + t)) {
                FOVEA_ASSERT(run.end() <= lanes.band[t].hi);
                const std::size_t end = std::min<std::size_t>(run.end(), lanes.band[t].lo);
                if (run.key >= end)
                    continue;
                reading |= laneBit(t); // reads its first key
                if (run.isBits())
                    m_writer.addBits(run.key,
                                     run.bits() & static_cast<std::uint32_t>(lowLanes(end - run.key)), t);
                else
                    m_writer.addRun(run.key, end, t, Reason::Routed);
            }
        }
    m_writer.addRuns(Reason::Routed);
    if ((lanes.active & ~reading) == 0)
        return;
    if (m_unread == Unread::Nothing) {
        lanes.active &= reading;
        return;
    }
    for (std::size_t t = 0; t < lanes.count; ++t)
        if ((lanes.active & ~reading & laneBit(t)) != 0) {
            lanes.band[t].lo = lanes.band[t].hi - 1;
            m_writer.countPairs(Reason::Local, 1);
        }
    lanes.measure();
}

/// A block of gathered queries that read everything that the model lets them: bands with uneven steps.
void PlanBuilder::addQueryRows(const std::vector<std::uint32_t>& queries) {
    Lanes lanes(queries);
    for (std::size_t t = 0; t < queries.size(); ++t)
        lanes.band[t] = {static_cast<std::uint32_t>(m_local.native().first(queries[t])), queries[t] + 1};
    lanes.end = queries.back() + std::size_t{1};
    lanes.measure();

    m_writer.openBlock(lanes);
    for (std::size_t first = lanes.bandFirst / kBlock * kBlock; first < lanes.end; first += kBlock)
        m_writer.bounds(lanes, first, first + kBlock, lanes.band.data());
    m_writer.closeBlock();

    for (const std::uint32_t query : queries) {
        const bool pinned = m_always.queryRole[query] != 0;
        const std::size_t band = m_local.bandFirst(query);
        const std::uint64_t readable = m_local.native().keys(query);
        std::uint64_t local = query + std::uint64_t{1} - band;
        m_local.forEachBelowBand(query, [&](std::size_t) { ++local; });
        std::uint64_t always = 0;
        if (pinned)
            always = readable - local;
        else
            for (const std::uint32_t key : m_always.keys) {
                if (key > query)
                    break;
                always += m_local.contains(query, key) || !m_always.reads(query, key) ? 0U : 1U;
            }
        m_writer.countPairs(Reason::Local, local);
        m_writer.countPairs(Reason::Always, always);
        m_writer.countPairs(Reason::Routed, readable - local - always);
    }
}

} // namespace fovea
