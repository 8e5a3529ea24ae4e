#pragma once
#include "core/base/SplitMix64.h"
#include "core/kernels/Attention.h"
#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <memory>
#include <numbers>
#include <span>
#include <string>
#include <vector>

// Inputs and plans for the kernels' tests, made without core/plan, so that a fault of the builder cannot hide
// a fault of the kernel. No test framework: the TSan driver uses it too.
namespace fovea::test {

/// Who reads whom: does query i read key j?
using Reads = std::function<bool(std::size_t query, std::size_t key)>;

inline Reads causal() {
    return [](std::size_t i, std::size_t j) { return j <= i; };
}
inline Reads windowAndSinks(std::size_t window, std::size_t sinks) {
    return [=](std::size_t i, std::size_t j) { return j <= i && (i - j < window || j < sinks); };
}
/// Window and sinks, and about one of `oneIn` further keys, each query its own.
inline Reads routed(std::size_t window, std::size_t sinks, std::uint64_t oneIn) {
    return [=](std::size_t i, std::size_t j) {
        return j <= i && (i - j < window || j < sinks || splitMix64(i, j, 77) % oneIn == 0);
    };
}

/// The items of one block: per aligned 64 keys Full or Bound, where one of them says it exactly; else a
/// Bitmask in every other tile and Gather in the rest.
inline void addBlock(HeadPlan& plan, const std::vector<std::uint32_t>& queries, bool gathered,
                     const Reads& reads) {
    QueryBlock block;
    block.queryBegin = queries.front();
    block.queryCount = static_cast<std::uint32_t>(queries.size());
    if (gathered) {
        block.queryList = static_cast<std::int32_t>(plan.queryLists.size());
        plan.queryLists.insert(plan.queryLists.end(), queries.begin(), queries.end());
    }
    for (std::size_t t = 0; t < queries.size(); ++t)
        if (queries[t] != static_cast<std::uint32_t>(-1))
            block.activeLanes |= std::uint64_t{1} << t;
    block.itemBegin = static_cast<std::uint32_t>(plan.items.size());
    std::vector<std::uint32_t> singles;
    std::vector<std::uint64_t> singleLanes;
    for (std::size_t key = 0; key < plan.tokens; key += kBlock) {
        const std::size_t count = std::min(kBlock, plan.tokens - key);
        std::vector<std::uint64_t> lanes(count, 0);
        bool bound = true;
        std::vector<LaneBound> bounds(kBlock);
        for (std::size_t t = 0; t < queries.size(); ++t) {
            if (((block.activeLanes >> t) & 1U) == 0)
                continue;
            std::size_t runs = 0;
            bool before = false;
            for (std::size_t j = 0; j < count; ++j) {
                const bool now = reads(queries[t], key + j);
                if (now) {
                    lanes[j] |= std::uint64_t{1} << t;
                    if (!before) {
                        ++runs;
                        bounds[t].lo = static_cast<std::uint32_t>(key + j);
                    }
                    bounds[t].hi = static_cast<std::uint32_t>(key + j + 1);
                }
                before = now;
            }
            bound = bound && runs <= 1;
        }
        std::size_t all = 0;
        std::size_t some = 0;
        for (const std::uint64_t mask : lanes) {
            all += mask == block.activeLanes ? 1U : 0U;
            some += mask != 0 ? 1U : 0U;
            plan.pairs += static_cast<std::uint64_t>(__builtin_popcountll(mask));
        }
        if (some == 0)
            continue;
        PlanItem item;
        item.key = static_cast<std::uint32_t>(key);
        item.count = static_cast<std::uint32_t>(count);
        if (all == count) {
            plan.items.push_back(item);
        } else if (bound) {
            item.kind = ItemKind::Bound;
            item.data = static_cast<std::uint32_t>(plan.bounds.size());
            plan.bounds.insert(plan.bounds.end(), bounds.begin(), bounds.end());
            plan.items.push_back(item);
        } else if (key / kBlock % 2 == 1) {
            // Trimmed, so that items start and end inside the words of bf16.
            std::size_t first = 0;
            std::size_t last = count;
            while (lanes[first] == 0)
                ++first;
            while (lanes[last - 1] == 0)
                --last;
            item.kind = ItemKind::Bitmask;
            item.key += static_cast<std::uint32_t>(first);
            item.count = static_cast<std::uint32_t>(last - first);
            item.data = static_cast<std::uint32_t>(plan.masks.size());
            plan.masks.insert(plan.masks.end(), lanes.begin() + static_cast<std::ptrdiff_t>(first),
                              lanes.begin() + static_cast<std::ptrdiff_t>(last));
            plan.items.push_back(item);
        } else {
            for (std::size_t j = 0; j < count; ++j)
                if (lanes[j] != 0) {
                    singles.push_back(static_cast<std::uint32_t>(key + j));
                    singleLanes.push_back(lanes[j]);
                }
        }
    }
    for (std::size_t j = 0; j < singles.size(); j += kBlock) {
        PlanItem item;
        item.kind = ItemKind::Gather;
        item.key = singles[j];
        item.count = static_cast<std::uint32_t>(std::min(kBlock, singles.size() - j));
        item.data = static_cast<std::uint32_t>(plan.gatherKeys.size() + j);
        plan.items.push_back(item);
    }
    plan.gatherKeys.insert(plan.gatherKeys.end(), singles.begin(), singles.end());
    plan.gatherLanes.insert(plan.gatherLanes.end(), singleLanes.begin(), singleLanes.end());
    block.itemEnd = static_cast<std::uint32_t>(plan.items.size());
    plan.blocks.push_back(block);
}

/// Rows `rows` of T tokens. Queries for which `apart` holds are taken out of their blocks and gathered into
/// blocks of their own.
inline std::shared_ptr<const HeadPlan> headPlan(std::size_t tokens, RowRange rows, const Reads& reads,
                                                const std::function<bool(std::size_t)>& apart = {}) {
    auto plan = std::make_shared<HeadPlan>();
    plan->tokens = tokens;
    plan->rows = rows;
    std::vector<std::uint32_t> taken;
    for (std::size_t first = rows.first; first < rows.last; first += kBlock) {
        std::vector<std::uint32_t> queries;
        bool any = false;
        for (std::size_t i = first; i < std::min(first + kBlock, rows.last); ++i) {
            const bool out = apart && apart(i);
            if (out)
                taken.push_back(static_cast<std::uint32_t>(i));
            any = any || !out;
            queries.push_back(static_cast<std::uint32_t>(i));
        }
        if (!any)
            continue;
        const std::uint32_t begin = queries.front();
        std::uint32_t none = static_cast<std::uint32_t>(-1);
        for (std::uint32_t& query : queries)
            if (apart && apart(query))
                query = none;
        addBlock(*plan, queries, false, reads);
        plan->blocks.back().queryBegin = begin;
    }
    for (std::size_t n = 0; n < taken.size(); n += kBlock)
        addBlock(*plan,
                 {taken.begin() + static_cast<std::ptrdiff_t>(n),
                  taken.begin() + static_cast<std::ptrdiff_t>(std::min(n + kBlock, taken.size()))},
                 true, reads);
    return plan;
}

/// A dilated window: blocks of queries of one phase read strided tiles, each lane its own stretch.
inline std::shared_ptr<const HeadPlan> stridedPlan(std::size_t tokens, std::size_t stride,
                                                   std::size_t window) {
    auto plan = std::make_shared<HeadPlan>();
    plan->tokens = tokens;
    plan->rows = {0, tokens};
    for (std::size_t phase = 0; phase < std::min(stride, tokens); ++phase) {
        const std::size_t count = (tokens - phase + stride - 1) / stride; // tokens of the phase
        for (std::size_t first = 0; first < count; first += kBlock) {
            QueryBlock block;
            block.queryBegin = static_cast<std::uint32_t>(phase + first * stride);
            block.queryCount = static_cast<std::uint32_t>(std::min(kBlock, count - first));
            block.queryList = static_cast<std::int32_t>(plan->queryLists.size());
            block.activeLanes = block.queryCount == kBlock ? ~0ULL : (1ULL << block.queryCount) - 1;
            block.itemBegin = static_cast<std::uint32_t>(plan->items.size());
            for (std::size_t t = 0; t < block.queryCount; ++t)
                plan->queryLists.push_back(static_cast<std::uint32_t>(phase + (first + t) * stride));
            const std::size_t last = first + block.queryCount;
            for (std::size_t key = 0; key < last; key += kBlock) {
                PlanItem item;
                item.kind = ItemKind::Bound;
                item.key = static_cast<std::uint32_t>(phase + key * stride);
                item.count = static_cast<std::uint32_t>(std::min(kBlock, last - key));
                item.stride = static_cast<std::uint32_t>(stride);
                item.data = static_cast<std::uint32_t>(plan->bounds.size());
                bool some = false;
                bool all = true;
                for (std::size_t t = 0; t < kBlock; ++t) {
                    const std::size_t at = first + t;
                    const std::size_t lo = std::max(key, at - std::min(at, window - 1));
                    const std::size_t hi = std::min(key + item.count, at + 1);
                    const bool reads = t < block.queryCount && lo < hi;
                    some = some || reads;
                    all = all && (t >= block.queryCount || hi - lo == item.count);
                    plan->bounds.push_back(reads ? LaneBound{static_cast<std::uint32_t>(phase + lo * stride),
                                                             static_cast<std::uint32_t>(phase + hi * stride)}
                                                 : LaneBound{});
                }
                if (all)
                    item.kind = ItemKind::Full;
                if (some)
                    plan->items.push_back(item);
            }
            block.itemEnd = static_cast<std::uint32_t>(plan->items.size());
            plan->blocks.push_back(block);
        }
    }
    return plan;
}

inline AttentionPlan layerPlan(std::shared_ptr<const HeadPlan> head, int heads) {
    AttentionPlan plan;
    plan.heads.assign(static_cast<std::size_t>(heads), std::move(head));
    return plan;
}

/// Fills with normal numbers times `deviation`.
inline void fillNormal(MatrixView m, std::uint64_t seed, double deviation) {
    for (std::size_t r = 0; r < m.rows; ++r)
        for (std::size_t c = 0; c < m.cols; ++c) {
            const double a = (static_cast<double>(splitMix64(seed, r, c, 0) >> 11) + 1) * 0x1p-53;
            const double b = static_cast<double>(splitMix64(seed, r, c, 1) >> 11) * 0x1p-53;
            m(r, c) = static_cast<float>(deviation * std::sqrt(-2 * std::log(a)) *
                                         std::cos(2 * std::numbers::pi * b));
        }
}

/// Owned inputs and outputs of one layer.
struct Case {
    std::size_t tokens;
    int dim;
    int heads;
    int kvHeads;
    float scale;
    float softCap = 0;
    Matrix q, k, v;

    Case(std::size_t t, int d, int h, int g, double deviation = 1.0)
        : tokens(t), dim(d), heads(h), kvHeads(g), scale(1.0F / std::sqrt(static_cast<float>(d))),
          q(t, static_cast<std::size_t>(h * d)), k(t, static_cast<std::size_t>(g * d)),
          v(t, static_cast<std::size_t>(g * d)) {
        fillNormal(q.view(), 1, deviation);
        fillNormal(k.view(), 2, 1.0);
        fillNormal(v.view(), 3, 1.0);
    }
    [[nodiscard]] AttentionInput input() const {
        AttentionInput in;
        in.q = q.view();
        in.k = k.view();
        in.v = v.view();
        in.heads = heads;
        in.kvHeads = kvHeads;
        in.headDim = dim;
        in.scale = scale;
        in.softCap = softCap;
        return in;
    }
    /// Inputs that the bf16 kernel takes without rounding: halves, and a scale that is a power of two in its
    /// base-2 logits. What is left of its error is that of the weights, whatever the size of the logits.
    void roundToBf16() {
        scale = std::numbers::ln2_v<float> / 8;
        for (Matrix* m : {&q, &k, &v})
            for (std::size_t r = 0; r < m->rows(); ++r)
                for (float& x : std::span(m->view().row(r), m->cols())) {
                    const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
                    x = std::bit_cast<float>((bits + 0x8000U) & 0xFFFF0000U);
                }
    }
};

struct LayerOutput {
    Matrix o;
    std::vector<float> lse;
    explicit LayerOutput(const Case& c, float fill = 0)
        : o(c.tokens, static_cast<std::size_t>(c.heads * c.dim)),
          lse(c.tokens * static_cast<std::size_t>(c.heads), fill) {
        for (std::size_t r = 0; r < o.rows(); ++r)
            for (std::size_t col = 0; col < o.cols(); ++col)
                o.view()(r, col) = fill;
    }
    [[nodiscard]] AttentionOutput output() { return {o.view(), lse}; }
};

} // namespace fovea::test
