#include "core/plan/PlanBuilder.h"
#include "core/base/Check.h"
#include <algorithm>
#include <array>
#include <bit>

namespace fovea {

namespace {

// A tile outside the band is worth a tile of its own when it is at least this wide and half full; else its
// keys are gathered.
constexpr std::size_t kDenseKeys = 32;
// What a pair costs that is computed by itself, in pairs of a tile (see pairByPair).
constexpr std::uint64_t kSinglePairCost = 4;

constexpr std::uint64_t bit(std::size_t lane) {
    return std::uint64_t{1} << lane;
}

constexpr std::uint64_t lowBits(std::size_t count) {
    return count >= 64 ? ~std::uint64_t{0} : bit(count) - 1;
}

/// Are the set bits of `x` neighbours (or none)?
constexpr bool isInterval(std::uint64_t x) {
    const std::uint64_t filled = x + (x & (~x + 1));
    return (filled & x) == 0;
}

/// 64 x 64 bits, in place: bit c of word r becomes bit r of word c (Warren, Hacker's Delight, 7-3).
void transpose(std::array<std::uint64_t, 64>& words) {
    std::uint64_t mask = 0x00000000FFFFFFFFULL;
    for (std::size_t width = 32; width != 0; width >>= 1, mask ^= mask << width)
        for (std::size_t k = 0; k < 64; k = (k + width + 1) & ~width) {
            const std::uint64_t swap = ((words[k] >> width) ^ words[k + width]) & mask;
            words[k] ^= swap << width;
            words[k + width] ^= swap;
        }
}

} // namespace

struct PlanBuilder::Lanes {
    std::size_t first = 0; ///< query of lane 0
    std::size_t count = 0;
    std::uint64_t active = 0;
    std::array<LaneBound, kBlock> band{}; ///< keys [lo, hi) of the band; lo == hi for an inactive lane
    std::size_t bandFirst = 0;            ///< least lo of the bands that are not empty
    std::size_t bandLastFirst = 0;        ///< greatest lo
    std::size_t leastEnd = 0;             ///< least hi
    std::size_t end = 0;                  ///< greatest hi: last active query + 1
    const std::uint32_t* list = nullptr;  ///< the lanes' queries where they are not neighbours: of one phase

    [[nodiscard]] std::size_t query(std::size_t lane) const {
        return list != nullptr ? list[lane] : first + lane;
    }

    void measure() {
        bandFirst = end;
        bandLastFirst = 0;
        leastEnd = end;
        for (std::size_t t = 0; t < count; ++t) {
            if ((active & bit(t)) == 0)
                continue;
            const LaneBound lane = band[t];
            bandLastFirst = std::max<std::size_t>(bandLastFirst, lane.lo);
            leastEnd = std::min<std::size_t>(leastEnd, lane.hi);
            if (lane.lo < lane.hi)
                bandFirst = std::min<std::size_t>(bandFirst, lane.lo);
        }
    }
};

PlanBuilder::PlanBuilder(const LocalReads& local, const AlwaysReads& always, const RoutedChoices* routed,
                         std::size_t tokens, RowRange rows, Unread unread)
    : m_local(local), m_always(always), m_routed(routed), m_tokens(tokens), m_rows(rows), m_unread(unread),
      m_masks(tokens, 0), m_touched((tokens + kBlock - 1) / kBlock, 0) {
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

/// Rows of a text in which silent tokens have no keys: bands have holes, so every key is a mask. Few rows read at
/// all, and few keys.
void PlanBuilder::collectSparse(const Lanes& lanes) {
    for (std::size_t t = 0; t < lanes.count; ++t) {
        if ((lanes.active & bit(t)) == 0)
            continue;
        const std::size_t query = lanes.first + t;
        const bool full = inQueryRole(query);
        const std::span<const std::uint32_t> chosen = m_routed->row(query);
        for (std::size_t key = 0; key <= query; ++key) {
            if (m_routed->silent[key] != 0)
                continue;
            const bool always = m_always.queryRole[query] != 0 || m_always.reads(query, key);
            if (m_local.contains(query, key))
                addMask(key, bit(t), Reason::Local);
            else if (always)
                addMask(key, bit(t), Reason::Always);
            else if (full || std::binary_search(chosen.begin(), chosen.end(), static_cast<std::uint32_t>(key)))
                addMask(key, bit(t), Reason::Routed);
        }
    }
}

void PlanBuilder::countPairs(Reason reason, std::uint64_t pairs) {
    m_plan.pairs += pairs;
    m_plan.pairsByReason[static_cast<std::size_t>(reason)] += pairs;
}

void PlanBuilder::countComputed(const PlanItem& item, std::uint32_t lanes) {
    std::uint64_t pairs = std::uint64_t{item.count} * lanes;
    if (item.kind == ItemKind::Gather) {
        pairs = 0;
        for (std::size_t n = item.data; n < item.data + item.count; ++n) {
            const std::uint64_t reading = m_plan.gatherLanes[n];
            pairs += pairByPair(reading, lanes) ? static_cast<std::uint64_t>(std::popcount(reading)) : lanes;
        }
    }
    m_plan.pairsComputed += pairs;
}

HeadPlan PlanBuilder::build() {
    m_plan = {};
    m_plan.tokens = m_tokens;
    m_plan.rows = m_rows;
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
    std::stable_sort(m_plan.blocks.begin(), m_plan.blocks.end(),
                     [](const QueryBlock& a, const QueryBlock& b) { return a.queryBegin < b.queryBegin; });
    return std::move(m_plan);
}

void PlanBuilder::addRows(std::size_t first, std::size_t count) {
    Lanes lanes;
    lanes.first = first;
    lanes.count = count;
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
        lanes.active |= bit(t);
        lanes.band[t] = {keysMissing() ? hi : static_cast<std::uint32_t>(m_local.bandFirst(query)), hi};
        lanes.end = query + 1;
    }
    if (lanes.active == 0)
        return;
    lanes.measure();
    collectMasks(lanes);
    if (lanes.active == 0)
        return;

    QueryBlock block;
    block.queryBegin = static_cast<std::uint32_t>(first);
    block.queryCount = static_cast<std::uint32_t>(count);
    block.activeLanes = lanes.active;
    block.itemBegin = static_cast<std::uint32_t>(m_plan.items.size());
    emitTiles(lanes);
    emitGathers(lanes);
    block.itemEnd = static_cast<std::uint32_t>(m_plan.items.size());
    for (std::size_t i = block.itemBegin; i < block.itemEnd; ++i)
        countComputed(m_plan.items[i], block.queryCount);
    m_plan.blocks.push_back(block);
    std::fill(m_touched.begin(), m_touched.end(), 0);
}

/// Blocks of queries a dilation apart pay where they can be full, and where the window is worth a tile.
/// Routed keys forbid them: whether a key is computed for the whole block depends on who else reads it, and a
/// later token must not change how an earlier one, blocks of 64 away, is rounded.
bool PlanBuilder::byPhases() const {
    return m_local.dilated() && !m_local.chunked() && m_routed == nullptr && m_always.until.empty() &&
           m_local.window() >= kDenseKeys && m_rows.last - m_rows.first >= kBlock * m_local.dilation();
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
    Lanes lanes;
    lanes.first = queries.front();
    lanes.count = queries.size();
    lanes.list = queries.data();
    lanes.active = lowBits(queries.size());
    for (std::size_t t = 0; t < queries.size(); ++t)
        lanes.band[t] = {queries[t] + 1, queries[t] + 1};
    lanes.end = queries.back() + std::size_t{1};
    lanes.measure();
    collectMasks(lanes);

    QueryBlock block;
    block.queryBegin = queries.front();
    block.queryCount = static_cast<std::uint32_t>(queries.size());
    block.queryList = static_cast<std::int32_t>(m_plan.queryLists.size());
    block.activeLanes = lanes.active;
    block.itemBegin = static_cast<std::uint32_t>(m_plan.items.size());
    m_plan.queryLists.insert(m_plan.queryLists.end(), queries.begin(), queries.end());
    emitStrided(lanes);
    emitTiles(lanes);
    std::stable_sort(m_plan.items.begin() + block.itemBegin, m_plan.items.end(),
                     [](const PlanItem& a, const PlanItem& b) { return a.key < b.key; });
    emitGathers(lanes);
    block.itemEnd = static_cast<std::uint32_t>(m_plan.items.size());
    for (std::size_t i = block.itemBegin; i < block.itemEnd; ++i)
        countComputed(m_plan.items[i], block.queryCount);
    m_plan.blocks.push_back(block);
    std::fill(m_touched.begin(), m_touched.end(), 0);
}

/// Positions divided by the stride make the window a band.
void PlanBuilder::emitStrided(const Lanes& lanes) {
    const std::size_t stride = m_local.dilation();
    const std::size_t phase = lanes.query(0) % stride;
    std::array<LaneBound, kBlock> band{};
    std::size_t least = lanes.end;
    for (std::size_t t = 0; t < lanes.count; ++t) {
        const std::size_t at = lanes.query(t) / stride;
        band[t] = {static_cast<std::uint32_t>(at - std::min(at, m_local.window() - 1)),
                   static_cast<std::uint32_t>(at + 1)};
        least = std::min<std::size_t>(least, band[t].lo);
    }
    const std::size_t end = lanes.query(lanes.count - 1) / stride + 1;
    for (std::size_t first = least / kBlock * kBlock; first < end; first += kBlock) {
        const std::size_t items = m_plan.items.size();
        emitBounds(lanes, first, first + kBlock, band.data());
        if (m_plan.items.size() == items)
            continue;
        PlanItem& item = m_plan.items.back();
        item.key = static_cast<std::uint32_t>(phase + item.key * stride);
        item.stride = static_cast<std::uint32_t>(stride);
        if (item.kind == ItemKind::Bound)
            for (std::size_t n = item.data; n < item.data + kBlock; ++n) {
                LaneBound& bound = m_plan.bounds[n];
                bound = {static_cast<std::uint32_t>(phase + bound.lo * stride),
                         static_cast<std::uint32_t>(phase + bound.hi * stride)};
            }
    }
}

void PlanBuilder::addMask(std::size_t key, std::uint64_t lanesReading, Reason reason) {
    const std::uint64_t added = lanesReading & ~m_masks[key];
    if (added == 0)
        return;
    m_masks[key] |= added;
    m_touched[key / kBlock] |= bit(key % kBlock);
    countPairs(reason, static_cast<std::uint64_t>(std::popcount(added)));
}

/// Fills the masks in order of precedence, so that each pair counts for its first reason, and gives a lane
/// that reads nothing its own key as band, or puts it out.
void PlanBuilder::collectMasks(Lanes& lanes) {
    if (keysMissing()) {
        collectSparse(lanes); // a query that is not silent reads itself at least: nothing is left to do
        return;
    }
    std::uint64_t reading = 0;
    for (std::size_t t = 0; t < lanes.count; ++t) {
        if ((lanes.active & bit(t)) == 0)
            continue;
        const LaneBound lane = lanes.band[t];
        if (lane.lo < lane.hi)
            reading |= bit(t);
        countPairs(Reason::Local, lane.hi - lane.lo);
        if (lanes.list != nullptr) { // strided tiles read the window
            reading |= bit(t);
            countPairs(Reason::Local, std::min(m_local.window(), lanes.query(t) / m_local.dilation() + 1));
            continue;
        }
        m_local.forEachBelowBand(lanes.query(t),
                                 [&](std::size_t key) { addMask(key, bit(t), Reason::Local); });
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
                    mask |= bit(t);
            mask &= lanes.active;
        }
        mask &= lowBits(until - lanes.first);
        if (lanes.list != nullptr)
            for (std::uint64_t left = mask; left != 0; left &= left - 1)
                if (m_local.contains(lanes.query(static_cast<std::size_t>(std::countr_zero(left))), key))
                    mask &= ~(left & (~left + 1));
        reading |= mask;
        addMask(key, mask, Reason::Always);
    }
    if (m_routed != nullptr)
        for (std::size_t t = 0; t < lanes.count; ++t) {
            if ((lanes.active & bit(t)) == 0)
                continue;
            for (const std::uint32_t key : m_routed->row(lanes.first + t)) {
                FOVEA_ASSERT(key < lanes.band[t].hi);
                if (key >= lanes.band[t].lo)
                    continue;
                reading |= bit(t);
                addMask(key, bit(t), Reason::Routed);
            }
        }
    if ((lanes.active & ~reading) == 0)
        return;
    if (m_unread == Unread::Nothing) {
        lanes.active &= reading;
        return;
    }
    for (std::size_t t = 0; t < lanes.count; ++t)
        if ((lanes.active & ~reading & bit(t)) != 0) {
            lanes.band[t].lo = lanes.band[t].hi - 1;
            countPairs(Reason::Local, 1);
        }
    lanes.measure();
}

void PlanBuilder::emitTiles(const Lanes& lanes) {
    for (std::size_t tile = 0; tile * kBlock < lanes.end; ++tile) {
        const std::size_t first = tile * kBlock;
        const std::size_t last = first + kBlock;
        const bool band = last > lanes.bandFirst;
        const std::uint64_t touched = m_touched[tile];
        if (touched != 0 && (band || static_cast<std::size_t>(std::popcount(touched)) >= kDenseKeys))
            if (emitMixedTile(lanes, tile)) {
                m_touched[tile] = 0;
                continue;
            }
        if (band)
            emitBounds(lanes, first, last, lanes.band.data());
    }
}

/// One tile that holds masked keys, perhaps beside the band, as a single Full or Bound item, or as a Bitmask
/// where some lane's keys are not neighbours. False when that would cost more than it saves: then the band
/// goes alone and the masked keys are gathered.
bool PlanBuilder::emitMixedTile(const Lanes& lanes, std::size_t tile) {
    const std::size_t first = tile * kBlock;
    std::array<std::uint64_t, kBlock> words{};
    std::uint64_t pairs = 0;
    std::uint64_t gathered = 0; // what the tile saves, in computed pairs: the gathers and the band's own tile
    for (std::uint64_t left = m_touched[tile]; left != 0; left &= left - 1) {
        const auto k = static_cast<std::size_t>(std::countr_zero(left));
        words[k] = m_masks[first + k];
        const auto reading = static_cast<std::uint64_t>(std::popcount(words[k]));
        pairs += reading;
        gathered += pairByPair(words[k], static_cast<std::uint32_t>(lanes.count)) ? kSinglePairCost * reading
                                                                                  : lanes.count;
    }
    transpose(words);
    std::array<LaneBound, kBlock> bounds{};
    std::size_t least = first + kBlock;
    std::size_t greatest = first;
    bool band = false;
    bool intervals = true;
    std::size_t bandFirst = first + kBlock;
    std::size_t bandEnd = first;
    for (std::size_t t = 0; t < lanes.count; ++t) {
        const std::size_t lo = std::max<std::size_t>(lanes.band[t].lo, first);
        const std::size_t hi = std::min<std::size_t>(lanes.band[t].hi, first + kBlock);
        if (lo < hi) {
            words[t] |= lowBits(hi - first) & ~lowBits(lo - first);
            band = true;
            bandFirst = std::min(bandFirst, lo);
            bandEnd = std::max(bandEnd, hi);
        }
        intervals = intervals && isInterval(words[t]);
        if (words[t] == 0)
            continue;
        const std::size_t begin = first + static_cast<std::size_t>(std::countr_zero(words[t]));
        const std::size_t end = first + kBlock - static_cast<std::size_t>(std::countl_zero(words[t]));
        bounds[t] = {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
        least = std::min(least, begin);
        greatest = std::max(greatest, end);
    }
    const std::size_t width = greatest - least;
    if (intervals) {
        if (!band && (width < kDenseKeys || 2 * pairs < width * lanes.count))
            return false;
        emitBounds(lanes, first, first + kBlock, bounds.data());
    } else {
        if (band)
            gathered += (bandEnd - bandFirst) * lanes.count;
        if (gathered < width * lanes.count)
            return false;
        transpose(words);
        emitBitmask(least, greatest, words.data() + (least - first));
    }
    for (std::uint64_t left = m_touched[tile]; left != 0; left &= left - 1)
        m_masks[first + static_cast<std::size_t>(std::countr_zero(left))] = 0;
    return true;
}

void PlanBuilder::emitBitmask(std::size_t keyFirst, std::size_t keyLast, const std::uint64_t* lanesOfKeys) {
    PlanItem item;
    item.kind = ItemKind::Bitmask;
    item.key = static_cast<std::uint32_t>(keyFirst);
    item.count = static_cast<std::uint32_t>(keyLast - keyFirst);
    item.data = static_cast<std::uint32_t>(m_plan.masks.size());
    m_plan.masks.insert(m_plan.masks.end(), lanesOfKeys, lanesOfKeys + item.count);
    m_plan.items.push_back(item);
}

/// The lanes' intervals inside the tile [keyFirst, keyLast) as one trimmed item: Full when all active lanes
/// read all of it.
void PlanBuilder::emitBounds(const Lanes& lanes, std::size_t keyFirst, std::size_t keyLast,
                             const LaneBound* bounds) {
    std::array<LaneBound, kBlock> clipped{};
    std::size_t least = keyLast;
    std::size_t greatest = keyFirst;
    for (std::size_t t = 0; t < lanes.count; ++t) {
        if ((lanes.active & bit(t)) == 0)
            continue;
        const std::size_t lo = std::max<std::size_t>(bounds[t].lo, keyFirst);
        const std::size_t hi = std::min<std::size_t>(bounds[t].hi, keyLast);
        if (lo >= hi)
            continue;
        clipped[t] = {static_cast<std::uint32_t>(lo), static_cast<std::uint32_t>(hi)};
        least = std::min(least, lo);
        greatest = std::max(greatest, hi);
    }
    if (least >= greatest)
        return;
    bool full = true;
    for (std::size_t t = 0; t < lanes.count && full; ++t)
        if ((lanes.active & bit(t)) != 0)
            full = clipped[t].lo == least && clipped[t].hi == greatest;
    PlanItem item;
    item.key = static_cast<std::uint32_t>(least);
    item.count = static_cast<std::uint32_t>(greatest - least);
    if (!full) {
        item.kind = ItemKind::Bound;
        item.data = static_cast<std::uint32_t>(m_plan.bounds.size());
        m_plan.bounds.insert(m_plan.bounds.end(), clipped.begin(), clipped.end());
    }
    m_plan.items.push_back(item);
}

void PlanBuilder::emitGathers(const Lanes& lanes) {
    const std::size_t words = (lanes.end + kBlock - 1) / kBlock;
    std::size_t inItem = kBlock;
    for (std::size_t tile = 0; tile < words; ++tile)
        for (std::uint64_t left = m_touched[tile]; left != 0; left &= left - 1) {
            const std::size_t key = tile * kBlock + static_cast<std::size_t>(std::countr_zero(left));
            if (inItem == kBlock) {
                PlanItem item;
                item.kind = ItemKind::Gather;
                item.key = static_cast<std::uint32_t>(key);
                item.data = static_cast<std::uint32_t>(m_plan.gatherKeys.size());
                m_plan.items.push_back(item);
                inItem = 0;
            }
            m_plan.gatherKeys.push_back(static_cast<std::uint32_t>(key));
            m_plan.gatherLanes.push_back(m_masks[key]);
            m_plan.items.back().count = static_cast<std::uint32_t>(++inItem);
            m_masks[key] = 0;
        }
}

/// A block of gathered queries that read everything before them: a triangle with uneven steps.
void PlanBuilder::addQueryRows(const std::vector<std::uint32_t>& queries) {
    Lanes lanes;
    lanes.first = queries.front();
    lanes.count = queries.size();
    lanes.active = lowBits(queries.size());
    for (std::size_t t = 0; t < queries.size(); ++t)
        lanes.band[t] = {0, queries[t] + 1};
    lanes.end = queries.back() + std::size_t{1};
    lanes.measure();

    QueryBlock block;
    block.queryBegin = queries.front();
    block.queryCount = static_cast<std::uint32_t>(queries.size());
    block.queryList = static_cast<std::int32_t>(m_plan.queryLists.size());
    block.activeLanes = lanes.active;
    block.itemBegin = static_cast<std::uint32_t>(m_plan.items.size());
    m_plan.queryLists.insert(m_plan.queryLists.end(), queries.begin(), queries.end());
    for (std::size_t first = 0; first < lanes.end; first += kBlock)
        emitBounds(lanes, first, first + kBlock, lanes.band.data());
    block.itemEnd = static_cast<std::uint32_t>(m_plan.items.size());
    for (std::size_t i = block.itemBegin; i < block.itemEnd; ++i)
        m_plan.pairsComputed += std::uint64_t{m_plan.items[i].count} * queries.size();
    m_plan.blocks.push_back(block);

    for (const std::uint32_t query : queries) {
        const bool pinned = m_always.queryRole[query] != 0;
        const std::size_t band = m_local.bandFirst(query);
        std::uint64_t local = query + std::uint64_t{1} - band;
        m_local.forEachBelowBand(query, [&](std::size_t) { ++local; });
        std::uint64_t always = 0;
        if (pinned)
            always = query + std::uint64_t{1} - local;
        else
            for (const std::uint32_t key : m_always.keys) {
                if (key > query)
                    break;
                always += m_local.contains(query, key) || !m_always.reads(query, key) ? 0U : 1U;
            }
        countPairs(Reason::Local, local);
        countPairs(Reason::Always, always);
        countPairs(Reason::Routed, query + std::uint64_t{1} - local - always);
    }
}

} // namespace fovea
