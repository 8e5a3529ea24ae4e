#include "core/measure/HeadReads.h"
#include <cmath>

namespace fovea {

namespace {

std::size_t headIndex(int head) {
    return static_cast<std::size_t>(head);
}

} // namespace

bool readsBesideKeys(const AttentionPlan& plan, int head) {
    const HeadParts& parts = plan.partsOf(head);
    return parts.far.on() || parts.always.sinkLogit.has_value();
}

std::vector<std::uint8_t> queryRoles(const AttentionPlan& plan, int head) {
    const RoutedChoices* choices = plan.choicesOf(head);
    std::vector<std::uint8_t> roles = choices != nullptr ? choices->queryRole : std::vector<std::uint8_t>();
    for (std::uint8_t& role : roles) // one that reads the routed keys only draws no row of its own
        role = role == kReadsAll ? 1 : 0;
    return roles;
}

bool covers(const TileSource& source, int head, std::size_t query) {
    if (source.plan == nullptr)
        return false;
    if (source.plan->asModel && !readsBesideKeys(*source.plan, head)) // full attention's row, computed or not
        return true;
    const RowRange rows = source.plan->heads[headIndex(head)]->rows;
    const std::size_t at = query * static_cast<std::size_t>(source.input.heads) + headIndex(head);
    return query >= rows.first && query < rows.last && at < source.hybridLse.size() &&
           !std::isnan(source.hybridLse[at]);
}

TileSource coveredSource(const TileSource& source, int head, std::size_t query) {
    TileSource known = source;
    if (!covers(source, head, query)) {
        known.plan = nullptr;
        known.hybridLse = {};
    }
    return known;
}

} // namespace fovea
