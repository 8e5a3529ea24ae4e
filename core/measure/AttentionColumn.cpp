#include "core/measure/AttentionColumn.h"
#include "core/kernels/RecastForm.h"
#include "core/measure/FarShare.h"
#include "core/measure/HeadReads.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea {

AttentionColumn makeColumn(int head, std::size_t key, const TileSource& source) {
    const std::size_t tokens = source.input.k.rows;
    const auto heads = static_cast<std::size_t>(source.input.heads), h = static_cast<std::size_t>(head);
    AttentionColumn column;
    column.key = key;
    if (key >= tokens)
        return column;
    column.first = source.input.later ? 0 : key;
    const std::size_t queries = tokens - column.first;
    column.full.resize(queries);
    column.reason.assign(queries, Reason::Skipped);
    Matrix logits(queries, 1);
    logitTile(source.input, head, column.first, key, logits.view(), source.isa);
    const auto logit = [&](std::size_t i) { return logits.view()(i, 0); };
    // Queries from here on have the key outside their native window.
    const std::size_t reading = source.input.native().readers(queries);
    for (std::size_t i = 0; i < reading; ++i)
        column.full[i] = std::exp(logit(i) - source.fullLse[(column.first + i) * heads + h]);
    const auto outside = column.reason.begin() + static_cast<std::ptrdiff_t>(reading);
    std::fill(outside, column.reason.end(), Reason::Outside);
    if (!source.plan || source.plan->asModel) {
        std::fill(column.reason.begin(), outside, Reason::Local);
        column.hybrid = column.full;
        if (source.plan && readsBesideKeys(*source.plan, head))
            for (std::size_t i = 0; i < reading; ++i)
                column.hybrid[i] =
                    source.hybridLse.empty()
                        ? std::numeric_limits<float>::quiet_NaN()
                        : std::exp(logit(i) - source.hybridLse[(column.first + i) * heads + h]);
        return column;
    }
    column.hybrid.assign(queries, std::numeric_limits<float>::quiet_NaN());
    const RowRange rows = source.plan->heads[h]->rows;
    const FarShare far(source, head, {key, key + 1});
    const Recast recast = recastOf(*source.plan, head);
    Matrix recastLogits;
    if (recast != Recast::None) {
        recastLogits = Matrix(queries, 1);
        recastLogitTile(*source.plan, source.input, head, column.first, key, recastLogits.view(), source.isa);
    }
    for (std::size_t query = std::max(column.first, rows.first); query < std::min(tokens, rows.last);
         ++query) {
        const std::size_t i = query - column.first;
        const std::vector<KeptKey> kept = source.plan->keptKeys(head, query);
        const auto found = std::lower_bound(
            kept.begin(), kept.end(), key, [](const KeptKey& k, std::size_t value) { return k.key < value; });
        if (found == kept.end() || found->key != key) {
            column.hybrid[i] = 0;
            if (far.any() && i < reading)
                far.row(query, kept, key, {&column.hybrid[i], 1}, {&column.reason[i], 1});
            continue;
        }
        column.reason[i] = found->reason;
        const bool isRecast = found->reason == reasonOf(recast);
        if (!source.hybridLse.empty())
            column.hybrid[i] = static_cast<float>(found->times) *
                               std::exp((isRecast ? recastLogits.view()(i, 0) : logit(i)) -
                                        source.hybridLse[query * heads + h]);
    }
    return column;
}

} // namespace fovea
