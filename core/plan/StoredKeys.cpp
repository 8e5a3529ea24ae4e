#include "core/plan/StoredKeys.h"
#include "core/base/Check.h"
#include <algorithm>
#include <map>

namespace fovea {

namespace {

constexpr std::int64_t kMostPinned = 1 << 16; // above this number no key is dropped

HeadPlan moved(const HeadPlan& plan, const KeyRows& rows) {
    HeadPlan result = plan;
    const auto row = [&](std::size_t key) { return static_cast<std::uint32_t>(rows.rowOf(key)); };
    for (const QueryBlock& block : result.blocks)
        for (std::size_t i = block.itemBegin; i < block.itemEnd; ++i) {
            PlanItem& item = result.items[i];
            if (item.kind == ItemKind::Gather) {
                for (std::size_t g = item.data; g < item.data + item.count; ++g)
                    result.gatherKeys[g] = row(result.gatherKeys[g]);
                item.key = result.gatherKeys[item.data];
                continue;
            }
            const std::uint32_t first = row(item.key);
            FOVEA_ASSERT(row(item.key + item.count - 1) == first + item.count - 1);
            const std::uint32_t shift = item.key - first;
            item.key = first;
            if (item.kind == ItemKind::Bound)
                for (std::size_t lane = 0; lane < kBlock; ++lane) {
                    LaneBound& bound = result.bounds[item.data + lane];
                    if (bound.lo < bound.hi)
                        bound = {bound.lo - shift, bound.hi - shift};
                }
        }
    return result;
}

} // namespace

AttentionPlan onStoredKeys(const AttentionPlan& plan, const KeyRows& rows) {
    AttentionPlan result = plan;
    std::map<const HeadPlan*, std::shared_ptr<const HeadPlan>> done;
    for (auto& head : result.heads) {
        auto& mine = done[head.get()];
        if (!mine)
            mine = std::make_shared<const HeadPlan>(moved(*head, rows));
        head = mine;
    }
    return result;
}

namespace {

/// Without the layer's native window.
KvRetention retentionByPolicy(const AttentionPolicy& policy, int layer) {
    const AlwaysPart& always = policy.always;
    const bool pinnedQueries = std::any_of(always.pinned.begin(), always.pinned.end(),
                                           [](const PinnedRange& range) { return range.role != Role::Keys; });
    const bool mixed = policy.mixesHeads() || !policy.mix.layers.empty() || policy.far.on() ||
                       policy.always.sinkLogit.has_value() || // it uses positions of the text
                       policy.routed.phase != Phase::All ||   // some rows read everything
                       policy.local.dilation > 1;             // strided tiles span keys that are not read
    if (mixed || policy.fullInLayer(layer) || policy.routed.chooses() || always.special ||
        always.punctuation || pinnedQueries)
        return {};
    const LocalPart& local = policy.local;
    const auto count = [](std::int64_t n) { return static_cast<std::size_t>(n); };
    std::int64_t pinned = 0;
    for (const PinnedRange& range : always.pinned)
        pinned += range.last - range.first + 1;
    if (pinned > kMostPinned)
        return {};
    KvRetention retention{1, {}};
    if (local.window > 0)
        retention.reach = count(local.window - 1) * count(local.dilation) + 1;
    if (local.chunk > 0)
        retention.reach = std::max(retention.reach, count(local.chunk) * (1 + count(local.chunkPrevious)));
    for (std::int64_t sink = 0; sink < always.sinks; ++sink)
        retention.kept.push_back(static_cast<std::uint32_t>(sink));
    for (const PinnedRange& range : always.pinned)
        for (std::int64_t token = range.first; token <= range.last; ++token)
            retention.kept.push_back(static_cast<std::uint32_t>(token));
    std::sort(retention.kept.begin(), retention.kept.end());
    retention.kept.erase(std::unique(retention.kept.begin(), retention.kept.end()), retention.kept.end());
    return retention;
}

} // namespace

KvRetention retentionOf(const AttentionPolicy& policy, const ModelShape& shape, int layer) {
    KvRetention retention = retentionByPolicy(policy, layer);
    const auto native = static_cast<std::size_t>(shape.layer(layer).window);
    // These read keys by their position in the text, or more than a query reads.
    const bool needsAll = [&] {
        for (int head = 0; head < shape.heads; ++head) {
            const HeadParts& parts = partsOf(policy, shape, layer, head);
            if (parts.routed.on() || parts.routed.phase != Phase::All || parts.far.on() ||
                parts.always.sinkLogit)
                return true;
        }
        return false;
    }();
    if (native == 0 || needsAll || retention.reach <= native)
        return retention;
    return {native, {}};
}

AttentionPolicy pinnedWithin(AttentionPolicy policy, std::size_t tokens) {
    const auto last = static_cast<std::int64_t>(tokens) - 1;
    policy.eachParts([&](HeadParts& parts) {
        std::vector<PinnedRange>& pinned = parts.always.pinned;
        std::erase_if(pinned, [&](const PinnedRange& range) { return range.first > last; });
        for (PinnedRange& range : pinned)
            range.last = std::min(range.last, last);
    });
    return policy;
}

bool pinsTokens(const AttentionPolicy& policy) {
    return policy.anyParts([](const HeadParts& parts) { return !parts.always.pinned.empty(); });
}

} // namespace fovea
