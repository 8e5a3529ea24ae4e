#include "core/plan/RowRuns.h"
#include <algorithm>
#include <bit>

namespace fovea {

namespace {

/// Sorts the runs and joins those that touch.
void normalise(std::vector<KeyRun>& runs) {
    const auto before = [](const KeyRun& a, const KeyRun& b) { return a.lo < b.lo; };
    if (!std::is_sorted(runs.begin(), runs.end(), before))
        std::sort(runs.begin(), runs.end(), before);
    std::size_t kept = 0;
    for (const KeyRun& run : runs) {
        if (kept > 0 && run.lo <= runs[kept - 1].hi)
            runs[kept - 1].hi = std::max(runs[kept - 1].hi, run.hi);
        else
            runs[kept++] = run;
    }
    runs.resize(kept);
}

} // namespace

void BlockRuns::load(const HeadPlan& plan, const QueryBlock& block) {
    m_native = plan.native;
    for (std::size_t lane = 0; lane < kBlock; ++lane)
        m_read[lane].clear();
    for (std::size_t lane = 0; lane < block.queryCount; ++lane)
        m_query[lane] = block.queryList < 0
                            ? block.queryBegin + lane
                            : plan.queryLists[static_cast<std::size_t>(block.queryList) + lane];
    const auto forLanes = [](std::uint64_t lanes, auto&& f) {
        for (; lanes != 0; lanes &= lanes - 1)
            f(static_cast<std::size_t>(std::countr_zero(lanes)));
    };
    const auto add = [&](std::size_t lane, std::uint32_t lo, std::uint32_t hi) {
        std::vector<KeyRun>& runs = m_read[lane];
        if (!runs.empty() && runs.back().hi == lo) // keys come one by one and ascend inside an item
            runs.back().hi = hi;
        else
            runs.push_back({lo, hi});
    };
    for (std::size_t i = block.itemBegin; i < block.itemEnd; ++i) {
        const PlanItem& item = plan.items[i];
        if (item.kind == ItemKind::Full || item.kind == ItemKind::Bound) {
            forLanes(block.activeLanes, [&](std::size_t lane) {
                const LaneBound bound = item.kind == ItemKind::Full
                                            ? LaneBound{item.key, item.key + item.count * item.stride}
                                            : plan.bounds[item.data + lane];
                if (item.stride == 1 && bound.lo < bound.hi)
                    add(lane, bound.lo, bound.hi);
                for (std::uint32_t j = 0; item.stride != 1 && j < item.count; ++j)
                    if (const std::uint32_t key = item.key + j * item.stride;
                        key >= bound.lo && key < bound.hi)
                        add(lane, key, key + 1);
            });
        } else if (item.kind == ItemKind::Bitmask) {
            for (std::uint32_t j = 0; j < item.count; ++j)
                forLanes(plan.masks[item.data + j] & block.activeLanes,
                         [&](std::size_t lane) { add(lane, item.key + j, item.key + j + 1); });
        } else {
            for (std::size_t g = item.data; g < item.data + item.count; ++g)
                forLanes(plan.gatherLanes[g],
                         [&](std::size_t lane) { add(lane, plan.gatherKeys[g], plan.gatherKeys[g] + 1); });
        }
    }
    forLanes(block.activeLanes, [&](std::size_t lane) { normalise(m_read[lane]); });
}

void BlockRuns::unread(std::size_t lane, std::vector<KeyRun>& runs) const {
    gapsBetween(m_read[lane], static_cast<std::uint32_t>(m_native.first(m_query[lane])),
                static_cast<std::uint32_t>(m_query[lane] + 1), runs);
}

void gapsBetween(std::span<const KeyRun> read, std::uint32_t begin, std::uint32_t end,
                 std::vector<KeyRun>& gaps) {
    gaps.clear();
    std::uint32_t at = begin;
    for (const KeyRun& run : read) {
        if (run.lo > at)
            gaps.push_back({at, std::min(run.lo, end)});
        at = std::max(at, run.hi);
    }
    if (at < end)
        gaps.push_back({at, end});
}

} // namespace fovea
