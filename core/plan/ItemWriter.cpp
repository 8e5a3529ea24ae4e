#include "core/plan/ItemWriter.h"
#include "core/base/Check.h"
#include <algorithm>
#include <bit>

namespace fovea {

namespace {

// The cost of a pair that is computed on its own, in units of a pair in a tile (see pairByPair).
constexpr std::uint64_t kSinglePairCost = 4;

/// How many bits are set. std::popcount is a call of the run-time library where the build may not assume the
/// instruction.
constexpr std::uint64_t bitsIn(std::uint64_t x) {
    x -= x >> 1 & 0x5555555555555555ULL;
    x = (x & 0x3333333333333333ULL) + (x >> 2 & 0x3333333333333333ULL);
    x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0FULL;
    return x * 0x0101010101010101ULL >> 56;
}

/// Whether the set bits of `x` are adjacent (or none is set).
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

void Lanes::measure() {
    bandFirst = end;
    bandLastFirst = 0;
    leastEnd = end;
    for (std::size_t t = 0; t < count; ++t) {
        if ((active & laneBit(t)) == 0)
            continue;
        const LaneBound lane = band[t];
        bandLastFirst = std::max<std::size_t>(bandLastFirst, lane.lo);
        leastEnd = std::min<std::size_t>(leastEnd, lane.hi);
        if (lane.lo < lane.hi)
            bandFirst = std::min<std::size_t>(bandFirst, lane.lo);
    }
}

ItemWriter::ItemWriter(std::size_t tokens, RowRange rows, NativeWindow native)
    : m_masks(tokens, 0), m_touched((tokens + kBlock - 1) / kBlock, 0) {
    m_plan.tokens = tokens;
    m_plan.rows = rows;
    m_plan.native = native;
}

void ItemWriter::addMask(std::size_t key, std::uint64_t lanesReading, Reason reason) {
    const std::uint64_t added = lanesReading & ~m_masks[key];
    if (added == 0)
        return;
    m_masks[key] |= added;
    m_touched[key / kBlock] |= laneBit(key % kBlock);
    countPairs(reason, bitsIn(added));
}

void ItemWriter::addRun(std::size_t first, std::size_t last, std::size_t lane, Reason reason) {
    constexpr std::size_t kFewKeys = 4; // a tile of waiting keys costs a transposition
    if (last - first <= kFewKeys) {
        std::uint64_t added = 0;
        for (std::size_t key = first; key < last; ++key) {
            added += ~m_masks[key] >> lane & 1U;
            m_masks[key] |= laneBit(lane);
            m_touched[key / kBlock] |= laneBit(key % kBlock);
        }
        countPairs(reason, added);
        return;
    }
    for (std::size_t key = first; key < last;) {
        const std::size_t tile = key / kBlock;
        const std::size_t end = std::min(last, (tile + 1) * kBlock);
        wait(tile, lane, lowLanes(end - tile * kBlock) & ~lowLanes(key - tile * kBlock));
        key = end;
    }
}

void ItemWriter::addBits(std::size_t first, std::uint32_t bits, std::size_t lane) {
    wait(first / kBlock, lane, std::uint64_t{bits} << (first % kBlock));
}

/// Bit k of `keys`: key k of the tile waits for the lane.
void ItemWriter::wait(std::size_t tile, std::size_t lane, std::uint64_t keys) {
    if (m_waiting.empty()) {
        m_waiting.assign(m_touched.size() * kBlock, 0);
        m_waits.assign(m_touched.size(), 0);
    }
    m_waiting[tile * kBlock + lane] |= keys;
    m_waits[tile] = 1;
}

void ItemWriter::addRuns(Reason reason) {
    std::uint64_t pairs = 0;
    for (std::size_t tile = 0; tile < m_waits.size(); ++tile) {
        if (m_waits[tile] == 0)
            continue;
        m_waits[tile] = 0;
        std::array<std::uint64_t, kBlock> words{};
        std::uint64_t* const waiting = m_waiting.data() + tile * kBlock;
        std::copy_n(waiting, kBlock, words.begin());
        std::fill_n(waiting, kBlock, 0);
        std::uint64_t whole = 0; // lanes for which the whole tile waits
        std::uint64_t rest = 0;
        for (std::size_t t = 0; t < kBlock; ++t) {
            const bool all = words[t] == ~std::uint64_t{0};
            whole |= all ? laneBit(t) : 0;
            rest |= all ? 0 : words[t];
        }
        if (rest == 0) // pages: every key has the same lanes
            words.fill(whole);
        else
            transpose(words);
        const std::size_t keys = std::min(kBlock, m_masks.size() - tile * kBlock);
        std::uint64_t* const masks = m_masks.data() + tile * kBlock;
        std::uint64_t touched = 0;
        for (std::size_t k = 0; k < keys; ++k) {
            pairs += bitsIn(words[k] & ~masks[k]);
            masks[k] |= words[k];
            touched |= words[k] != 0 ? laneBit(k) : 0;
        }
        m_touched[tile] |= touched;
    }
    if (pairs > 0)
        countPairs(reason, pairs);
}

void ItemWriter::countPairs(Reason reason, std::uint64_t pairs) {
    m_plan.pairs += pairs;
    m_plan.pairsByReason[static_cast<std::size_t>(reason)] += pairs;
}

void ItemWriter::openBlock(const Lanes& lanes) {
    m_block = {};
    m_block.queryBegin = static_cast<std::uint32_t>(lanes.first);
    m_block.queryCount = static_cast<std::uint32_t>(lanes.count);
    m_block.activeLanes = lanes.active;
    m_block.itemBegin = static_cast<std::uint32_t>(m_plan.items.size());
    if (lanes.list == nullptr)
        return;
    m_block.queryList = static_cast<std::int32_t>(m_plan.queryLists.size());
    m_plan.queryLists.insert(m_plan.queryLists.end(), lanes.list, lanes.list + lanes.count);
}

void ItemWriter::sortBlock() {
    std::stable_sort(m_plan.items.begin() + m_block.itemBegin, m_plan.items.end(),
                     [](const PlanItem& a, const PlanItem& b) { return a.key < b.key; });
}

void ItemWriter::closeBlock() {
    m_block.itemEnd = static_cast<std::uint32_t>(m_plan.items.size());
    for (std::size_t i = m_block.itemBegin; i < m_block.itemEnd; ++i)
        m_plan.pairsComputed += computedPairs(m_plan, m_plan.items[i], m_block.queryCount);
    m_plan.blocks.push_back(m_block);
    std::fill(m_touched.begin(), m_touched.end(), 0);
}

HeadPlan ItemWriter::finish() {
    std::stable_sort(m_plan.blocks.begin(), m_plan.blocks.end(),
                     [](const QueryBlock& a, const QueryBlock& b) { return a.queryBegin < b.queryBegin; });
    return std::move(m_plan);
}

void ItemWriter::full(std::size_t keyFirst, std::size_t keyLast, std::uint32_t multiplicity) {
    FOVEA_ASSERT(keyFirst < keyLast && keyLast - keyFirst <= kBlock && multiplicity > 0);
    PlanItem item;
    item.key = static_cast<std::uint32_t>(keyFirst);
    item.count = static_cast<std::uint32_t>(keyLast - keyFirst);
    item.multiplicity = multiplicity;
    m_plan.items.push_back(item);
}

void ItemWriter::strided(const Lanes& lanes, std::size_t stride, std::size_t window) {
    const std::size_t phase = lanes.query(0) % stride;
    std::array<LaneBound, kBlock> band{};
    std::size_t least = lanes.end;
    for (std::size_t t = 0; t < lanes.count; ++t) {
        const std::size_t at = lanes.query(t) / stride;
        band[t] = {static_cast<std::uint32_t>(at - std::min(at, window - 1)),
                   static_cast<std::uint32_t>(at + 1)};
        least = std::min<std::size_t>(least, band[t].lo);
    }
    const std::size_t end = lanes.query(lanes.count - 1) / stride + 1;
    for (std::size_t first = least / kBlock * kBlock; first < end; first += kBlock) {
        const std::size_t items = m_plan.items.size();
        bounds(lanes, first, first + kBlock, band.data());
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

void ItemWriter::tiles(const Lanes& lanes) {
    for (std::size_t tile = 0; tile * kBlock < lanes.end; ++tile) {
        const std::size_t first = tile * kBlock;
        const std::size_t last = first + kBlock;
        const bool band = last > lanes.bandFirst;
        const std::uint64_t touched = m_touched[tile];
        if (touched != 0 && (band || static_cast<std::size_t>(std::popcount(touched)) >= kDenseKeys))
            if (mixedTile(lanes, tile)) {
                m_touched[tile] = 0;
                continue;
            }
        if (band)
            bounds(lanes, first, last, lanes.band.data());
    }
}

/// Whether the same lanes read every key of the tile, bands aside.
bool ItemWriter::uniform(std::size_t tile) const {
    if (m_touched[tile] != ~std::uint64_t{0})
        return false;
    const std::uint64_t* const masks = m_masks.data() + tile * kBlock;
    return std::all_of(masks + 1, masks + kBlock, [&](std::uint64_t mask) { return mask == masks[0]; });
}

/// Writes a tile with masked keys, and perhaps keys of the band, as one Full or Bound item, or as a Bitmask
/// if the keys of some lane are not adjacent. Returns false if that would cost more than it saves: then only
/// the band is written and the masked keys are gathered.
bool ItemWriter::mixedTile(const Lanes& lanes, std::size_t tile) {
    const std::size_t first = tile * kBlock;
    if (uniform(tile) && lanes.bandFirst >= first + kBlock) { // pages: the same result in fewer steps
        const std::uint64_t mask = m_masks[first];
        if (2 * static_cast<std::size_t>(std::popcount(mask)) < lanes.count)
            return false;
        std::array<LaneBound, kBlock> reads{};
        for (std::uint64_t left = mask; left != 0; left &= left - 1)
            reads[static_cast<std::size_t>(std::countr_zero(left))] = {
                static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(first + kBlock)};
        bounds(lanes, first, first + kBlock, reads.data());
        std::fill_n(m_masks.begin() + static_cast<std::ptrdiff_t>(first), kBlock, 0);
        return true;
    }
    std::array<std::uint64_t, kBlock> words{};
    std::uint64_t pairs = 0;
    std::uint64_t gathered =
        0; // computed pairs that the tile saves: those of the gathered keys and of the band's own tile
    for (std::uint64_t left = m_touched[tile]; left != 0; left &= left - 1) {
        const auto k = static_cast<std::size_t>(std::countr_zero(left));
        words[k] = m_masks[first + k];
        const std::uint64_t reading = bitsIn(words[k]);
        pairs += reading;
        gathered += reading * 4 < lanes.count ? kSinglePairCost * reading : lanes.count; // see pairByPair
    }
    transpose(words);
    std::array<LaneBound, kBlock> reads{};
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
            words[t] |= lowLanes(hi - first) & ~lowLanes(lo - first);
            band = true;
            bandFirst = std::min(bandFirst, lo);
            bandEnd = std::max(bandEnd, hi);
        }
        intervals = intervals && isInterval(words[t]);
        if (words[t] == 0)
            continue;
        const std::size_t begin = first + static_cast<std::size_t>(std::countr_zero(words[t]));
        const std::size_t end = first + kBlock - static_cast<std::size_t>(std::countl_zero(words[t]));
        reads[t] = {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
        least = std::min(least, begin);
        greatest = std::max(greatest, end);
    }
    const std::size_t width = greatest - least;
    if (intervals) {
        if (!band && (width < kDenseKeys || 2 * pairs < width * lanes.count))
            return false;
        bounds(lanes, first, first + kBlock, reads.data());
    } else {
        if (band)
            gathered += (bandEnd - bandFirst) * lanes.count;
        if (gathered < width * lanes.count)
            return false;
        transpose(words);
        bitmask(least, greatest, words.data() + (least - first));
    }
    for (std::uint64_t left = m_touched[tile]; left != 0; left &= left - 1)
        m_masks[first + static_cast<std::size_t>(std::countr_zero(left))] = 0;
    return true;
}

void ItemWriter::bitmask(std::size_t keyFirst, std::size_t keyLast, const std::uint64_t* lanesOfKeys) {
    PlanItem item;
    item.kind = ItemKind::Bitmask;
    item.key = static_cast<std::uint32_t>(keyFirst);
    item.count = static_cast<std::uint32_t>(keyLast - keyFirst);
    item.data = static_cast<std::uint32_t>(m_plan.masks.size());
    m_plan.masks.insert(m_plan.masks.end(), lanesOfKeys, lanesOfKeys + item.count);
    m_plan.items.push_back(item);
}

void ItemWriter::bounds(const Lanes& lanes, std::size_t keyFirst, std::size_t keyLast,
                        const LaneBound* laneBounds) {
    std::array<LaneBound, kBlock> clipped{};
    std::size_t least = keyLast;
    std::size_t greatest = keyFirst;
    for (std::size_t t = 0; t < lanes.count; ++t) {
        if ((lanes.active & laneBit(t)) == 0)
            continue;
        const std::size_t lo = std::max<std::size_t>(laneBounds[t].lo, keyFirst);
        const std::size_t hi = std::min<std::size_t>(laneBounds[t].hi, keyLast);
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
        if ((lanes.active & laneBit(t)) != 0)
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

void ItemWriter::gathers(const Lanes& lanes) {
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

} // namespace fovea
