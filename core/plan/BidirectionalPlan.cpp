#include "core/plan/BidirectionalPlan.h"
#include "core/base/Check.h"
#include "core/base/SplitMix64.h"
#include "core/plan/ItemWriter.h"
#include "core/route/ReadSets.h"
#include <algorithm>
#include <functional>

namespace fovea {

namespace {

std::uint32_t narrow(std::size_t value) {
    return static_cast<std::uint32_t>(value);
}

/// Keys [first(i), end(i)) around query i, which always reads itself.
struct SymmetricWindow {
    std::size_t window;
    std::size_t tokens;
    [[nodiscard]] std::size_t first(std::size_t query) const { return query - std::min(query, window / 2); }
    [[nodiscard]] std::size_t end(std::size_t query) const {
        return std::min(tokens, query + window / 2 + 1);
    }
    [[nodiscard]] bool contains(std::size_t query, std::size_t key) const {
        return key >= first(query) && key < end(query);
    }
};

SymmetricWindow windowOf(const AttentionPolicy& policy, std::size_t tokens) {
    return {static_cast<std::size_t>(policy.local.window), tokens};
}

void addQueryRows(ItemWriter& writer, const std::vector<std::uint32_t>& queries,
                  const SymmetricWindow& window) {
    Lanes lanes(queries);
    for (std::size_t t = 0; t < queries.size(); ++t) {
        lanes.band[t] = {0, narrow(window.tokens)};
        const std::size_t local = window.end(queries[t]) - window.first(queries[t]);
        writer.countPairs(Reason::Local, local);
        writer.countPairs(Reason::Always, window.tokens - local);
    }
    writer.openBlock(lanes);
    for (std::size_t key = 0; key < window.tokens; key += kBlock)
        writer.bounds(lanes, key, key + kBlock, lanes.band.data());
    writer.closeBlock();
}

HeadPlan symmetricPlan(const SymmetricWindow& window, const AlwaysReads& always) {
    ItemWriter writer(window.tokens, {0, window.tokens});
    std::vector<std::uint32_t> queryRows;
    for (std::size_t first = 0; first < window.tokens; first += kBlock) {
        Lanes lanes(first, std::min(kBlock, window.tokens - first));
        std::size_t bandEnd = 0;
        for (std::size_t t = 0; t < lanes.count; ++t) {
            const std::size_t query = first + t;
            if (always.queryRole[query] != 0) {
                queryRows.push_back(narrow(query));
                continue;
            }
            lanes.active |= laneBit(t);
            lanes.band[t] = {narrow(window.first(query)), narrow(window.end(query))};
            bandEnd = std::max<std::size_t>(bandEnd, lanes.band[t].hi);
            writer.countPairs(Reason::Local, lanes.band[t].hi - lanes.band[t].lo);
        }
        if (lanes.active == 0)
            continue;
        lanes.end = always.keys.empty() ? bandEnd : std::max(bandEnd, std::size_t{always.keys.back()} + 1);
        lanes.measure();
        for (const std::uint32_t key : always.keys) {
            std::uint64_t reading = lanes.active;
            if (key >= lanes.bandFirst && key < bandEnd)
                for (std::size_t t = 0; t < lanes.count; ++t)
                    if (key >= lanes.band[t].lo && key < lanes.band[t].hi)
                        reading &= ~laneBit(t);
            writer.addMask(key, reading, Reason::Always);
        }
        writer.openBlock(lanes);
        writer.tiles(lanes);
        writer.gathers(lanes);
        writer.closeBlock();
    }
    for (std::size_t n = 0; n < queryRows.size(); n += kBlock) {
        const auto begin = queryRows.begin() + static_cast<std::ptrdiff_t>(n);
        addQueryRows(writer,
                     {begin, begin + static_cast<std::ptrdiff_t>(std::min(kBlock, queryRows.size() - n))},
                     window);
    }
    return writer.finish();
}

/// The blocks of BigBird: `blocks` of `size` tokens; the last one may be shorter.
struct Squares {
    std::size_t tokens;
    std::size_t size;
    [[nodiscard]] std::size_t blocks() const { return (tokens + size - 1) / size; }
    [[nodiscard]] std::size_t end(std::size_t block) const { return std::min(tokens, (block + 1) * size); }
    /// The reason for which query block `q` reads key block `k`, without random blocks; Skipped: not read.
    [[nodiscard]] Reason reason(std::size_t q, std::size_t k) const {
        if (k + 1 >= q && k <= q + 1)
            return Reason::Local;
        const std::size_t last = blocks() - 1;
        return q == 0 || q == last || k == 0 || k == last ? Reason::Always : Reason::Skipped;
    }
};

HeadPlan blockPlan(const Squares& squares, const BlockDraws& draws) {
    ItemWriter writer(squares.tokens, {0, squares.tokens});
    const std::size_t blocks = squares.blocks();
    std::vector<std::uint32_t> times(blocks);
    for (std::size_t q = 0; q < blocks; ++q) {
        const std::uint64_t queries = squares.end(q) - q * squares.size;
        for (std::size_t k = 0; k < blocks; ++k) {
            const Reason reason = squares.reason(q, k);
            times[k] = reason != Reason::Skipped ? 1 : 0;
            for (const std::uint32_t drawn : draws[q])
                times[k] += drawn == k ? 1 : 0;
            if (times[k] > 0)
                writer.countPairs(reason == Reason::Skipped ? Reason::Routed : reason,
                                  queries * (squares.end(k) - k * squares.size));
        }
        for (std::size_t first = q * squares.size; first < squares.end(q); first += kBlock) {
            Lanes lanes(first, std::min(kBlock, squares.end(q) - first));
            lanes.active = lowLanes(lanes.count);
            writer.openBlock(lanes);
            for (std::size_t k = 0; k < blocks;) {
                std::size_t next = k + 1;
                while (next < blocks && times[next] == times[k])
                    ++next;
                const std::size_t end = squares.end(next - 1);
                for (std::size_t key = k * squares.size; times[k] > 0 && key < end; key += kBlock)
                    writer.full(key, std::min(key + kBlock, end), times[k]);
                k = next;
            }
            writer.closeBlock();
        }
    }
    return writer.finish();
}

Result<> checkDraws(std::span<const BlockDraws> draws, std::size_t heads, std::size_t blocks) {
    bool fit = draws.size() == heads;
    for (const BlockDraws& head : draws) {
        fit = fit && head.size() == blocks && head.front().empty() && head.back().empty();
        for (const auto& row : head)
            fit = fit &&
                  std::all_of(row.begin(), row.end(), [&](std::uint32_t block) { return block < blocks; });
    }
    return fit ? Result<>()
               : fail(ErrorCode::BadValue, "random blocks: one list per head and query block is needed, " +
                                               std::to_string(heads) + " x " + std::to_string(blocks) +
                                               ", of blocks below " + std::to_string(blocks) +
                                               ", and none for the first and last query block");
}

/// [H] plans; heads without draws of their own share one.
Result<std::vector<std::shared_ptr<const HeadPlan>>> parityPlans(const AttentionPolicy& policy,
                                                                 std::size_t heads, int layer,
                                                                 std::size_t tokens,
                                                                 std::span<const BlockDraws> draws) {
    const Squares squares{tokens, static_cast<std::size_t>(policy.routed.page)};
    const auto count = static_cast<std::size_t>(policy.routed.randomBlocks);
    if (!draws.empty())
        FOVEA_TRY(checkDraws(draws, heads, squares.blocks()));
    std::vector<std::shared_ptr<const HeadPlan>> plans;
    for (std::size_t head = 0; head < heads; ++head)
        plans.push_back(std::make_shared<const HeadPlan>(
            blockPlan(squares, draws.empty() ? drawBlocks(squares.blocks(), count, policy.routed.seed, layer,
                                                          static_cast<int>(head))
                                             : draws[head])));
    return plans;
}

/// Whether the reference code reads a text of this length in full.
bool shortForParity(const AttentionPolicy& policy, std::size_t tokens) {
    return static_cast<std::int64_t>(tokens) <= (5 + 2 * policy.routed.randomBlocks) * policy.routed.page;
}

/// Whether every query reads every key in this layer.
bool readsAllKeys(const AttentionPolicy& policy, int layer, std::size_t tokens) {
    return policy.fullInLayer(layer) ||
           (policy.mix.parity == Parity::BigBird && shortForParity(policy, tokens));
}

HeadPlan everyKey(std::size_t tokens) {
    AlwaysReads nothing;
    nothing.queryRole.assign(tokens, 0);
    const SymmetricWindow everything{2 * tokens, tokens};
    HeadPlan plan = symmetricPlan(everything, nothing);
    plan.native.later = true;
    return plan;
}

} // namespace

BlockDraws drawBlocks(std::size_t blocks, std::size_t count, std::uint64_t seed, int layer, int head) {
    FOVEA_ASSERT(blocks > 5 + 2 * count);
    BlockDraws draws(blocks);
    for (std::size_t q = 1; q + 1 < blocks; ++q) {
        const bool any = q > 2 && q + 3 >= blocks; // the reference code does not exclude the window here
        std::vector<std::pair<float, std::uint32_t>> order;
        for (std::size_t k = 1; k + 1 < blocks; ++k)
            if (any || k + 1 < q || k > q + 1)
                order.emplace_back(unitFloat(splitMix64(seed, static_cast<std::uint64_t>(layer),
                                                        static_cast<std::uint64_t>(head), q, k)),
                                   narrow(k));
        std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                          std::greater<>());
        for (std::size_t n = 0; n < count; ++n)
            draws[q].push_back(order[n].second);
    }
    return draws;
}

Result<AttentionPlan> makeBidirectionalPlan(std::shared_ptr<const AttentionPolicy> policy,
                                            const ModelShape& shape, int layer,
                                            std::shared_ptr<const TokenFacts> facts,
                                            std::span<const BlockDraws> draws) {
    FOVEA_ASSERT(policy != nullptr && facts != nullptr && layer >= 0 && layer < shape.layers);
    if (policy->far.far == Far::Projection)
        return fail(ErrorCode::Unsupported,
                    "far.far is projection: its keys are mixtures, which no plan names");
    if (policy->local.sides != Sides::Both && !policy->fullInLayer(layer))
        return fail(ErrorCode::Unsupported, "local.sides is earlier: a bidirectional plan needs both");
    Result<AlwaysReads> always = alwaysReads(*policy, *facts, {});
    FOVEA_TRY(always);
    const auto heads = static_cast<std::size_t>(shape.heads);
    AttentionPlan plan;
    plan.layer = layer;
    plan.policy = policy;
    plan.facts = facts;
    if (readsAllKeys(*policy, layer, facts->tokens)) {
        plan.asModel = true;
        plan.heads.assign(heads, std::make_shared<const HeadPlan>(everyKey(facts->tokens)));
        return plan;
    }
    if (policy->mix.parity == Parity::BigBird) {
        auto plans = parityPlans(*policy, heads, layer, facts->tokens, draws);
        FOVEA_TRY(plans);
        plan.heads = std::move(*plans);
        return plan;
    }
    plan.heads.assign(
        heads, std::make_shared<const HeadPlan>(symmetricPlan(windowOf(*policy, facts->tokens), *always)));
    return plan;
}

AttentionPlan encoderPlan(const ModelShape& shape, int layer, std::size_t tokens) {
    AttentionPlan plan;
    plan.layer = layer;
    plan.asModel = true;
    auto policy = std::make_shared<AttentionPolicy>();
    policy->name = "full";
    plan.policy = std::move(policy);
    auto facts = std::make_shared<TokenFacts>();
    facts->tokens = tokens;
    plan.facts = std::move(facts);
    plan.heads.assign(static_cast<std::size_t>(shape.heads),
                      std::make_shared<const HeadPlan>(everyKey(tokens)));
    return plan;
}

HeadPlan projectedPlan(std::size_t tokens, std::size_t keys) {
    ItemWriter writer(tokens, {0, tokens});
    for (std::size_t first = 0; first < tokens; first += kBlock) {
        Lanes lanes(first, std::min(kBlock, tokens - first));
        lanes.active = lowLanes(lanes.count);
        writer.openBlock(lanes);
        for (std::size_t key = 0; key < keys; key += kBlock)
            writer.full(key, std::min(key + kBlock, keys), 1);
        writer.closeBlock();
    }
    return writer.finish();
}

Reason bidirectionalReason(const AttentionPolicy& policy, int layer, std::size_t tokens, std::size_t query,
                           std::size_t key) {
    if (readsAllKeys(policy, layer, tokens))
        return Reason::Local;
    if (policy.mix.parity == Parity::BigBird) {
        const Squares squares{tokens, static_cast<std::size_t>(policy.routed.page)};
        const Reason reason = squares.reason(query / squares.size, key / squares.size);
        return reason == Reason::Skipped ? Reason::Routed : reason;
    }
    return windowOf(policy, tokens).contains(query, key) ? Reason::Local : Reason::Always;
}

} // namespace fovea
