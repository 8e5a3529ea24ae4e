#include "core/measure/BlockFacts.h"
#include "core/measure/HeadReads.h"
#include <algorithm>
#include <cmath>

namespace fovea {

BlockFacts blockFacts(const TileSource& source, int head, MapQuantity quantity, RowRange queries,
                      RowRange keys, const WorkContext& work) {
    BlockFacts facts;
    facts.queries = queries;
    facts.keys = keys;
    BlockFacts::Values values;
    BlockFacts::Read read;
    const bool ofArms = quantity == MapQuantity::ArmDifference;
    const bool needsHybrid = quantity == MapQuantity::Hybrid || isDifference(quantity);
    const TileSource against = againstSource(source);
    bool first = true;
    const NativeWindow native = source.input.native();
    const std::size_t from = native.later ? queries.first : std::max(queries.first, keys.first);
    for (std::size_t query = from; query < queries.last; ++query) {
        const std::size_t begin = std::max(keys.first, native.first(query));
        const std::size_t end = std::min(keys.last, native.end(query, source.input.k.rows));
        if (end <= begin)
            continue;
        if (work.cancel.cancelled())
            return facts;
        ++facts.rows;
        facts.pairs += end - begin;
        const bool covered = covers(source, head, query) && (!ofArms || covers(against, head, query));
        facts.coveredRows += covered ? 1 : 0;
        if (!covered && needsHybrid)
            continue;
        const AttentionRow row = makeRow(head, query, coveredSource(source, head, query));
        const AttentionRow other = ofArms ? makeRow(head, query, against) : AttentionRow{};
        for (std::size_t key = begin; key < end; ++key) {
            const float x = quantity == MapQuantity::Hybrid       ? row.hybrid[key]
                            : quantity == MapQuantity::Difference ? row.hybrid[key] - row.full[key]
                            : ofArms                              ? row.hybrid[key] - other.hybrid[key]
                                                                  : row.full[key];
            const auto value = static_cast<double>(x);
            values.mass += value;
            if (first || std::abs(value) > std::abs(values.largest)) {
                first = false;
                values.largest = value;
                values.query = query;
                values.key = key;
            }
            if (covered) {
                read.kept += row.reason[key] < Reason::Far ? 1 : 0;
                read.far += row.reason[key] == Reason::Far ? 1 : 0;
            }
        }
    }
    const std::size_t height = queries.last - std::min(queries.first, queries.last);
    values.mass /= static_cast<double>(std::max<std::size_t>(1, height));
    const bool allCovered = facts.coveredRows == facts.rows;
    if (facts.rows > 0 && (allCovered || !needsHybrid))
        facts.values = values;
    if (facts.rows > 0 && allCovered)
        facts.read = read;
    return facts;
}

} // namespace fovea
