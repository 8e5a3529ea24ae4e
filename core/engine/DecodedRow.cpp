#include "core/engine/DecodedRow.h"
#include "core/engine/LayerRun.h"
#include <algorithm>
#include <limits>
#include <set>

namespace fovea {

namespace {

template <class T>
std::uint64_t bytesOf(const std::vector<T>& values) {
    return values.capacity() * sizeof(T);
}

/// The choices of the last row; what is said of whole texts (query roles) stays as it is.
std::shared_ptr<const RoutedChoices> lastRowChoices(const RoutedChoices& all) {
    auto one = std::make_shared<RoutedChoices>(all);
    const std::size_t row = all.rows.last - 1 - all.rows.first;
    one->rows = {all.rows.last - 1, all.rows.last};
    const std::size_t begin = all.rowBegin[row], end = all.rowBegin[row + 1];
    one->rowBegin = {0, static_cast<std::uint32_t>(end - begin)};
    const auto cut = [](auto& values, std::size_t first, std::size_t last) {
        if (values.size() >= last)
            values = {values.begin() + static_cast<std::ptrdiff_t>(first),
                      values.begin() + static_cast<std::ptrdiff_t>(last)};
    };
    cut(one->runs, begin, end);
    cut(one->threshold, row, row + 1);
    cut(one->budget, row, row + 1);
    if (one->details) // which may hold tables of the whole text; one row needs its own numbers
        *one = one->explained();
    return one;
}

std::uint64_t bytesOf(const RoutedChoices& c) {
    return bytesOf(c.rowBegin) + bytesOf(c.runs) + bytesOf(c.threshold) + bytesOf(c.budget) +
           bytesOf(c.tokenThreshold) + bytesOf(c.tokenBudget) + bytesOf(c.queryRole) + bytesOf(c.queryScore) +
           bytesOf(c.queryThreshold) + bytesOf(c.queryRank) + bytesOf(c.queryBudget) + bytesOf(c.silent);
}

/// Everything a row of attention is made from, with owned memory.
struct RowSource {
    Matrix keys;
    std::vector<float> lse;
    TileSource source;
};

RowSource sourceOf(const Model& model, const DecodedRows& rows, std::size_t step, int layer, Isa isa) {
    const auto at = static_cast<std::size_t>(layer);
    const DecodedRow& row = *rows.rows[step];
    const DecodedRow::Layer& own = row.layers[at];
    const std::size_t tokens = row.token + 1;
    RowSource made{Matrix(tokens, own.k.size()), {}, {}};
    const Matrix& prompt = *rows.promptKeys[at];
    for (std::size_t token = 0; token < tokens; ++token) {
        const float* key = token < rows.prompt ? prompt.view().row(token)
                                               : rows.rows[token + 1 - rows.prompt]->layers[at].k.data();
        std::copy_n(key, own.k.size(), made.keys.view().row(token));
    }
    const std::size_t heads = own.lse.size();
    made.lse.assign(tokens * heads, std::numeric_limits<float>::quiet_NaN());
    std::copy(own.lse.begin(), own.lse.end(), made.lse.end() - static_cast<std::ptrdiff_t>(heads));
    // Stride 0: every row of the view is the row's own query, and only that one is used. Values are not.
    const ConstMatrixView q{own.q.data(), tokens, own.q.size(), 0};
    made.source.input = attentionInputOf(model, layer, q, made.keys.view(), made.keys.view());
    made.source.plan = own.plan.get();
    made.source.isa = isa;
    return made;
}

} // namespace

AttentionPlan lastRowPlan(const AttentionPlan& plan, const ModelShape& shape,
                          std::shared_ptr<const TokenFacts> facts) {
    const std::size_t tokens = facts->tokens;
    FOVEA_ASSERT(!plan.sets.empty() && tokens > 0); // plans of makePlan
    std::shared_ptr<LayerRouting> routing;
    if (plan.routing) {
        routing = std::make_shared<LayerRouting>();
        routing->layer = plan.routing->layer;
        for (const Unit& unit : plan.routing->units)
            routing->units.push_back(
                {unit.heads, unit.signal, unit.choices ? lastRowChoices(*unit.choices) : nullptr});
    }
    return makePlan(plan.policy, plan.sets, shape, plan.layer, std::move(facts), std::move(routing),
                    {tokens - 1, tokens});
}

void countBytes(DecodedRow& row) {
    row.bytes = sizeof row;
    std::set<const TokenFacts*> facts;
    for (const DecodedRow::Layer& layer : row.layers) {
        row.bytes += sizeof layer + bytesOf(layer.q) + bytesOf(layer.k) + bytesOf(layer.lse) +
                     bytesOf(layer.stored.older);
        const AttentionPlan& plan = *layer.plan;
        std::set<const HeadPlan*> seen;
        for (const auto& head : plan.heads)
            if (seen.insert(head.get()).second)
                row.bytes += sizeof(HeadPlan) + bytesOf(head->blocks) + bytesOf(head->items) +
                             bytesOf(head->bounds) + bytesOf(head->masks) + bytesOf(head->gatherKeys) +
                             bytesOf(head->gatherLanes) + bytesOf(head->queryLists);
        for (const LayerPolicy& set : plan.sets)
            if (set.always)
                row.bytes += bytesOf(set.always->bits) + bytesOf(set.always->keys) +
                             bytesOf(set.always->until) + bytesOf(set.always->lastingBits) +
                             bytesOf(set.always->queryRole);
        if (plan.routing)
            for (const Unit& unit : plan.routing->units)
                if (unit.choices)
                    row.bytes += bytesOf(*unit.choices);
        if (plan.facts && facts.insert(plan.facts.get()).second)
            row.bytes += bytesOf(plan.facts->special) + bytesOf(plan.facts->punctuation) +
                         bytesOf(plan.facts->surprisal) + bytesOf(plan.facts->ids) +
                         bytesOf(plan.facts->retrieval);
    }
}

ReadRow readRow(const Model& model, const DecodedRows& rows, std::size_t step, int layer, int head, Isa isa) {
    FOVEA_ASSERT(rows.has(step) && layer >= 0 && layer < model.shape.layers && head >= 0 &&
                 head < model.shape.heads);
    RowSource made = sourceOf(model, rows, step, layer, isa);
    // A row's own log-sum-exp stands in both places: where the plan reads what the model reads, makeRow takes
    // the weights from the first one.
    made.source.fullLse = made.lse;
    made.source.hybridLse = made.lse;
    const std::size_t query = rows.rows[step]->token;
    const RowFacts facts(made.source, head, query);
    ReadRow row;
    row.query = query;
    row.weight = facts.row().hybrid;
    row.read = facts.keptKeys();
    for (std::size_t key = 0; key <= query; ++key)
        row.kind.push_back(facts.kind(key));
    if (!facts.signal().empty())
        for (std::size_t key = 0; key <= query; ++key)
            row.router.push_back(row.kind[key] == ReadKind::RoutedKey ||
                                         row.kind[key] == ReadKind::RoutedQuery
                                     ? facts.router(key)
                                     : RouterFacts{});
    return row;
}

std::vector<CacheState> cacheStates(const DecodedRow& row, int layer) {
    const DecodedRow::Layer& own = row.layers[static_cast<std::size_t>(layer)];
    std::vector<CacheState> states(row.token + 1, CacheState::Dropped);
    for (const std::uint32_t token : own.stored.older)
        states[token] = CacheState::Stored;
    std::fill(states.begin() + static_cast<std::ptrdiff_t>(own.stored.tailFirst), states.end(),
              CacheState::Stored);
    std::set<const HeadPlan*> seen;
    for (const auto& head : own.plan->heads)
        if (seen.insert(head.get()).second)
            for (const std::uint32_t key : head->keysOf(row.token))
                states[key] = CacheState::Read;
    return states;
}

CacheCount countCache(const DecodedRow& row, int layer) {
    CacheCount count;
    for (const CacheState state : cacheStates(row, layer)) {
        ++(state == CacheState::Dropped ? count.dropped : count.stored);
        count.read += state == CacheState::Read ? 1U : 0U;
    }
    const AttentionPlan& plan = *row.layers[static_cast<std::size_t>(layer)].plan;
    for (std::size_t head = 0; head < plan.heads.size(); ++head)
        count.farField = count.farField || plan.partsOf(static_cast<int>(head)).far.on();
    return count;
}

} // namespace fovea
