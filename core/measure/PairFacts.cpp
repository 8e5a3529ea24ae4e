#include "core/measure/PairFacts.h"
#include "core/measure/HeadReads.h"

namespace fovea {

PairFacts pairFacts(const TileSource& source, int head, std::size_t query, std::size_t key) {
    if (key > query && !source.input.later) {
        PairFacts facts;
        facts.query = query;
        facts.key = key;
        facts.kind = ReadKind::AfterQuery;
        return facts;
    }
    return pairFacts(source, head, RowFacts(source, head, query), key);
}

PairFacts pairFacts(const TileSource& source, int head, const RowFacts& row, std::size_t key,
                    const std::vector<float>& scores) {
    PairFacts facts;
    facts.query = row.query();
    facts.key = key;
    facts.kind = row.kind(key);
    if (!facts.computed())
        return facts;
    Matrix logit(1, 1);
    logitTile(source.input, head, row.query(), key, logit.view(), source.isa);
    facts.logit = static_cast<double>(logit.view()(0, 0));
    facts.lse =
        static_cast<double>(source.fullLse[row.query() * static_cast<std::size_t>(source.input.heads) +
                                           static_cast<std::size_t>(head)]);
    facts.full = static_cast<double>(row.row().full[key]);
    facts.rank = row.rank(key);
    if (const TileSource arm = againstSource(source); covers(arm, head, row.query())) {
        const RowFacts other(arm, head, row.query());
        facts.against = static_cast<double>(other.row().hybrid[key]);
        facts.againstKind = other.kind(key);
    }
    if (!row.covered())
        return facts;
    facts.hybrid = static_cast<double>(row.row().hybrid[key]);
    facts.local = source.plan->partsOf(head).local;
    facts.signal = row.signal();
    if (!row.readsAll())
        facts.router = row.router(key, scores);
    return facts;
}

} // namespace fovea
