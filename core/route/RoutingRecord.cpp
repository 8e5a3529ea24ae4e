#include "core/route/RoutingRecord.h"
#include "core/base/Check.h"
#include <algorithm>
#include <limits>
#include <string>
#include <tuple>

namespace fovea {

namespace {

/// The (first head, key-value head or -1) under which a unit's choices are written.
std::vector<std::pair<std::int32_t, std::int32_t>> namesOf(const LayerRouting& routing,
                                                           const ModelShape& shape, std::size_t unit) {
    if (routing.units.size() == static_cast<std::size_t>(shape.heads) && shape.heads != shape.kvHeads)
        return {{static_cast<std::int32_t>(unit), -1}};
    std::vector<std::pair<std::int32_t, std::int32_t>> names;
    for (std::int32_t group = 0; group < shape.kvHeads; ++group) {
        const std::int32_t head = group * shape.headsPerKv();
        if (routing.unitOfHead[static_cast<std::size_t>(head)] == unit)
            names.emplace_back(head, group);
    }
    return names;
}

/// Rows of one unit's key role, by token; `row` gives layer and head.
void appendKeys(std::vector<RoutingRow>& rows, const RoutedChoices& choices, RoutingRow row) {
    std::vector<RoutingRow> ofToken(choices.rows.last);
    for (std::size_t query = choices.rows.first; query < choices.rows.last; ++query) {
        const std::size_t r = query - choices.rows.first;
        for (std::size_t at = choices.rowBegin[r]; at < choices.rowBegin[r + 1]; ++at) {
            RoutingRow& token = ofToken[choices.keys[at]];
            if (token.queries == 0 || choices.scores[at] > token.score) {
                token.score = choices.scores[at];
                token.threshold = choices.threshold[r];
                token.rank = choices.ranks[at];
                token.budget = choices.budget[r];
            }
            if (token.queries++ == 0)
                token.queryFirst = static_cast<std::uint32_t>(query);
            token.queryLast = static_cast<std::uint32_t>(query);
        }
    }
    for (std::size_t token = 0; token < ofToken.size(); ++token) {
        if (ofToken[token].queries == 0)
            continue;
        RoutingRow& found = ofToken[token];
        found.layer = row.layer;
        found.head = row.head;
        found.headGroup = row.headGroup;
        found.token = static_cast<std::uint32_t>(token);
        rows.push_back(found);
    }
}

void appendQueries(std::vector<RoutingRow>& rows, const RoutedChoices& choices, RoutingRow row) {
    row.role = Role::Queries;
    row.queries = 1;
    for (std::size_t token = choices.rows.first;
         token < std::min(choices.rows.last, choices.queryRole.size()); ++token) {
        if (choices.queryRole[token] == 0)
            continue;
        row.token = row.queryFirst = row.queryLast = static_cast<std::uint32_t>(token);
        row.score = choices.queryScore[token];
        row.threshold = choices.queryThreshold[token];
        row.rank = choices.queryRank[token];
        row.budget = choices.queryBudget[token];
        rows.push_back(row);
    }
}

tl::unexpected<Error> badChoice(const RoutingChoice& choice, const std::string& problem) {
    return fail(ErrorCode::BadValue, "routing record, layer " + std::to_string(choice.layer) + ", head " +
                                         std::to_string(choice.head) + ", query " +
                                         std::to_string(choice.query) + ", token " +
                                         std::to_string(choice.token) + ": " + problem);
}

} // namespace

void appendRouting(RoutingRecord& record, const LayerRouting& routing, const ModelShape& shape) {
    const auto order = [](const RoutingRow& a, const RoutingRow& b) {
        return std::tie(a.layer, a.head, a.role, a.token) < std::tie(b.layer, b.head, b.role, b.token);
    };
    const std::size_t before = record.rows.size();
    for (std::size_t unit = 0; unit < routing.units.size(); ++unit) {
        if (!routing.units[unit])
            continue;
        const RoutedChoices& choices = *routing.units[unit];
        for (const auto& [head, group] : namesOf(routing, shape, unit)) {
            RoutingRow row;
            row.layer = routing.layer;
            row.head = head;
            row.headGroup = group;
            appendKeys(record.rows, choices, row);
            appendQueries(record.rows, choices, row);
        }
    }
    if (before > 0 && record.rows.size() > before && order(record.rows[before], record.rows[before - 1]))
        std::stable_sort(record.rows.begin(), record.rows.end(), order);
}

void forEachChoice(const LayerRouting& routing, const ModelShape& shape,
                   const std::function<void(const RoutingChoice&)>& visit) {
    for (std::size_t unit = 0; unit < routing.units.size(); ++unit) {
        if (!routing.units[unit])
            continue;
        const RoutedChoices& choices = *routing.units[unit];
        for (const auto& [head, group] : namesOf(routing, shape, unit)) {
            RoutingChoice choice;
            choice.layer = routing.layer;
            choice.head = head;
            choice.headGroup = group;
            for (std::size_t query = choices.rows.first; query < choices.rows.last; ++query) {
                const std::size_t r = query - choices.rows.first;
                choice.query = static_cast<std::uint32_t>(query);
                choice.threshold = choices.threshold[r];
                choice.budget = choices.budget[r];
                for (std::size_t at = choices.rowBegin[r]; at < choices.rowBegin[r + 1]; ++at) {
                    choice.token = choices.keys[at];
                    choice.score = choices.scores[at];
                    choice.rank = choices.ranks[at];
                    visit(choice);
                }
            }
            choice.role = Role::Queries;
            for (std::size_t token = choices.rows.first;
                 token < std::min(choices.rows.last, choices.queryRole.size()); ++token) {
                if (choices.queryRole[token] == 0)
                    continue;
                choice.query = choice.token = static_cast<std::uint32_t>(token);
                choice.score = choices.queryScore[token];
                choice.threshold = choices.queryThreshold[token];
                choice.rank = choices.queryRank[token];
                choice.budget = choices.queryBudget[token];
                visit(choice);
            }
        }
    }
}

Result<LayerRouting> replayRouting(std::span<const RoutingChoice> choices, const ModelShape& shape, int layer,
                                   RowRange rows) {
    std::vector<RoutingChoice> sorted;
    for (const RoutingChoice& choice : choices)
        if (choice.layer == layer)
            sorted.push_back(choice);
    std::stable_sort(sorted.begin(), sorted.end(), [](const RoutingChoice& a, const RoutingChoice& b) {
        return std::tie(a.head, a.role, a.query, a.token) < std::tie(b.head, b.role, b.query, b.token);
    });
    const bool groups = !sorted.empty() && sorted.front().headGroup >= 0;
    for (std::size_t n = 0; n < sorted.size(); ++n) {
        const RoutingChoice& choice = sorted[n];
        if (choice.head < 0 || choice.head >= shape.heads)
            return badChoice(choice, "this model has heads 0 to " + std::to_string(shape.heads - 1));
        if ((choice.headGroup >= 0) != groups)
            return badChoice(choice, "heads choose alone here and as groups elsewhere in the layer");
        if (groups && choice.headGroup != shape.kvHeadOf(choice.head))
            return badChoice(choice,
                             "head group " + std::to_string(choice.headGroup) + " is not this head's");
        if (choice.query < rows.first || choice.query >= rows.last)
            return badChoice(choice, "queries " + std::to_string(rows.first) + " to " +
                                         std::to_string(rows.last) + " (not included) are replayed");
        if (choice.token > choice.query || (choice.role == Role::Queries && choice.token != choice.query))
            return badChoice(choice, "the token does not fit its query");
        if (choice.role == Role::Both)
            return badChoice(choice, "a row has role keys or queries");
        if (n > 0 &&
            std::tie(sorted[n - 1].head, sorted[n - 1].role, sorted[n - 1].query, sorted[n - 1].token) ==
                std::tie(choice.head, choice.role, choice.query, choice.token))
            return badChoice(choice, "the choice is given twice");
    }

    LayerRouting routing;
    routing.layer = layer;
    const std::size_t units = static_cast<std::size_t>(groups ? shape.kvHeads : shape.heads);
    for (int head = 0; head < shape.heads; ++head)
        routing.unitOfHead.push_back(static_cast<std::uint16_t>(groups ? shape.kvHeadOf(head) : head));
    const std::size_t count = rows.last - rows.first;
    auto next = sorted.begin();
    for (std::size_t unit = 0; unit < units; ++unit) {
        auto made = std::make_shared<RoutedChoices>();
        made->rows = rows;
        made->rowBegin.push_back(0);
        made->threshold.assign(count, std::numeric_limits<float>::quiet_NaN());
        made->budget.assign(count, 0);
        const auto mine = [&](Role role) {
            return next != sorted.end() && routing.unitOfHead[static_cast<std::size_t>(next->head)] == unit &&
                   next->role == role;
        };
        for (std::size_t query = rows.first; query < rows.last; ++query) {
            for (; mine(Role::Keys) && next->query == query; ++next) {
                made->keys.push_back(next->token);
                made->scores.push_back(next->score);
                made->ranks.push_back(static_cast<std::uint16_t>(std::min<std::uint32_t>(next->rank, 65535)));
                made->threshold[query - rows.first] = next->threshold;
                made->budget[query - rows.first] = next->budget;
            }
            made->rowBegin.push_back(static_cast<std::uint32_t>(made->keys.size()));
        }
        if (mine(Role::Queries)) {
            made->queryRole.assign(rows.last, 0);
            made->queryScore.assign(rows.last, 0);
            made->queryThreshold.assign(rows.last, std::numeric_limits<float>::quiet_NaN());
            made->queryRank.assign(rows.last, 0);
            made->queryBudget.assign(rows.last, 0);
        }
        for (; mine(Role::Queries); ++next) {
            made->queryRole[next->token] = 1;
            made->queryScore[next->token] = next->score;
            made->queryRank[next->token] = next->rank;
            made->queryBudget[next->token] = next->budget;
            made->queryThreshold[next->token] = next->threshold;
        }
        routing.units.push_back(std::move(made));
    }
    FOVEA_ASSERT(next == sorted.end());
    return routing;
}

} // namespace fovea
