#include "core/plan/PlanDifference.h"
#include "core/base/Check.h"
#include <algorithm>
#include <span>
#include <vector>

namespace fovea {

namespace {

std::span<const std::uint32_t> listOf(const HeadPlan& plan, const QueryBlock& block) {
    return std::span(plan.queryLists).subspan(static_cast<std::size_t>(block.queryList), block.queryCount);
}

/// The block of each query below `end`; -1: none.
std::vector<std::ptrdiff_t> blockOfQueries(const HeadPlan& plan, std::size_t end) {
    std::vector<std::ptrdiff_t> blockOf(end, -1);
    for (std::size_t n = 0; n < plan.blocks.size(); ++n) {
        const QueryBlock& block = plan.blocks[n];
        for (std::size_t lane = 0; lane < block.queryCount; ++lane) {
            const std::size_t query =
                block.queryList < 0 ? block.queryBegin + lane : listOf(plan, block)[lane];
            if (query < end && (block.activeLanes >> lane & 1U) != 0)
                blockOf[query] = static_cast<std::ptrdiff_t>(n);
        }
    }
    return blockOf;
}

template <class T>
bool sameRun(const std::vector<T>& a, std::size_t beginA, const std::vector<T>& b, std::size_t beginB,
             std::size_t count) {
    return std::ranges::equal(std::span(a).subspan(beginA, count), std::span(b).subspan(beginB, count));
}

bool sameItem(const HeadPlan& a, const PlanItem& x, const HeadPlan& b, const PlanItem& y) {
    if (x.kind != y.kind || x.count != y.count || x.multiplicity != y.multiplicity || x.stride != y.stride)
        return false;
    switch (x.kind) {
    case ItemKind::Full:
        return x.key == y.key;
    case ItemKind::Bound:
        return x.key == y.key && sameRun(a.bounds, x.data, b.bounds, y.data, kBlock);
    case ItemKind::Bitmask:
        return x.key == y.key && sameRun(a.masks, x.data, b.masks, y.data, x.count);
    case ItemKind::Gather:
        return sameRun(a.gatherKeys, x.data, b.gatherKeys, y.data, x.count) &&
               sameRun(a.gatherLanes, x.data, b.gatherLanes, y.data, x.count);
    }
    FOVEA_ASSERT(false);
    return false;
}

bool sameBlock(const HeadPlan& a, const QueryBlock& p, const HeadPlan& b, const QueryBlock& q) {
    const std::uint32_t items = p.itemEnd - p.itemBegin;
    if (p.queryCount != q.queryCount || p.activeLanes != q.activeLanes || items != q.itemEnd - q.itemBegin ||
        (p.queryList < 0) != (q.queryList < 0))
        return false;
    if (p.queryList < 0 ? p.queryBegin != q.queryBegin : !std::ranges::equal(listOf(a, p), listOf(b, q)))
        return false;
    for (std::uint32_t n = 0; n < items; ++n)
        if (!sameItem(a, a.items[p.itemBegin + n], b, b.items[q.itemBegin + n]))
            return false;
    return true;
}

} // namespace

std::size_t firstReplanned(const HeadPlan& a, const HeadPlan& b, std::size_t end) {
    FOVEA_ASSERT(a.tokens == b.tokens && end <= a.tokens);
    const std::vector<std::ptrdiff_t> inA = blockOfQueries(a, end), inB = blockOfQueries(b, end);
    std::ptrdiff_t knownA = -1, knownB = -1; // the blocks last found to be the same
    for (std::size_t query = 0; query < end; ++query) {
        if (inA[query] == knownA && inB[query] == knownB)
            continue;
        if ((inA[query] < 0) != (inB[query] < 0))
            return query;
        if (inA[query] >= 0 && !sameBlock(a, a.blocks[static_cast<std::size_t>(inA[query])], b,
                                          b.blocks[static_cast<std::size_t>(inB[query])]))
            return query;
        knownA = inA[query], knownB = inB[query];
    }
    return end;
}

} // namespace fovea
