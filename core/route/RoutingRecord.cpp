#include "core/route/RoutingRecord.h"
#include "core/base/Check.h"
#include <algorithm>
#include <tuple>

namespace fovea {

namespace {

/// One line of names under which a unit's choices are written.
struct NamedUnit {
    std::int32_t head = 0;
    std::int32_t headGroup = -1;
    const Unit* unit = nullptr;
};

/// Units that were asked for, by head: whole groups as one, other heads alone.
std::vector<NamedUnit> namesOf(const LayerRouting& routing, const ModelShape& shape) {
    std::vector<NamedUnit> names;
    const auto perGroup = static_cast<std::size_t>(shape.headsPerKv());
    for (const Unit& unit : routing.units) {
        if (!unit.choices)
            continue;
        for (std::size_t n = 0; n < unit.heads.size();) {
            const int group = shape.kvHeadOf(unit.heads[n]);
            std::size_t end = n;
            while (end < unit.heads.size() && shape.kvHeadOf(unit.heads[end]) == group)
                ++end;
            if (end - n == perGroup)
                names.push_back({unit.heads[n], group, &unit});
            else
                for (std::size_t alone = n; alone < end; ++alone)
                    names.push_back({unit.heads[alone], -1, &unit});
            n = end;
        }
    }
    std::sort(names.begin(), names.end(),
              [](const NamedUnit& a, const NamedUnit& b) { return a.head < b.head; });
    return names;
}

std::uint8_t indexOf(RoutingRecord& record, std::string_view signal) {
    const auto known = std::find(record.usedSignals.begin(), record.usedSignals.end(), signal);
    if (known == record.usedSignals.end()) {
        FOVEA_ASSERT(record.usedSignals.size() < 256);
        record.usedSignals.emplace_back(signal);
        return static_cast<std::uint8_t>(record.usedSignals.size() - 1);
    }
    return static_cast<std::uint8_t>(known - record.usedSignals.begin());
}

/// Is `a` the better account of why a token was chosen? One with a rank says more than one without.
bool better(const ChosenKey& a, const RoutingRow& b) {
    return (a.rank != 0) != (b.rank != 0) ? a.rank != 0 : a.score > b.score;
}

/// Rows of one unit's key role, by token; `row` gives layer, head and signal.
void appendKeys(RoutingRecord& record, const RoutedChoices& choices, RoutingRow row) {
    std::vector<RoutingRow> ofToken(choices.rows.last, row);
    for (std::size_t query = choices.rows.first; query < choices.rows.last; ++query) {
        for (const ChosenKey& chosen : choices.chosenKeys(query)) {
            RoutingRow& token = ofToken[chosen.key];
            if (token.queries == 0 || better(chosen, token)) {
                token.score = chosen.score;
                token.threshold = chosen.threshold;
                token.rank = chosen.rank;
                token.budget = chosen.budget;
                token.signal = chosen.drawn ? indexOf(record, kRandomBlocksSignal) : row.signal;
            }
            if (token.queries++ == 0)
                token.queryFirst = static_cast<std::uint32_t>(query);
            token.queryLast = static_cast<std::uint32_t>(query);
        }
    }
    for (std::size_t token = 0; token < ofToken.size(); ++token) {
        if (ofToken[token].queries == 0)
            continue;
        ofToken[token].token = static_cast<std::uint32_t>(token);
        record.rows.push_back(ofToken[token]);
    }
}

void appendQueries(RoutingRecord& record, const RoutedChoices& choices, RoutingRow row) {
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
        record.rows.push_back(row);
    }
}

} // namespace

std::string RoutingRecord::signalNames() const {
    std::string names;
    for (const std::string& signal : usedSignals)
        names.append(names.empty() ? "" : ", ").append(signal);
    return names;
}

void appendRouting(RoutingRecord& record, const LayerRouting& routing, const ModelShape& shape) {
    const auto order = [](const RoutingRow& a, const RoutingRow& b) {
        return std::tie(a.layer, a.head, a.role, a.token) < std::tie(b.layer, b.head, b.role, b.token);
    };
    const std::size_t before = record.rows.size();
    for (const NamedUnit& named : namesOf(routing, shape)) {
        RoutingRow row;
        row.layer = routing.layer;
        row.head = named.head;
        row.headGroup = named.headGroup;
        row.signal = indexOf(record, named.unit->signal.empty() ? kRandomBlocksSignal : named.unit->signal);
        appendKeys(record, *named.unit->choices, row);
        appendQueries(record, *named.unit->choices, row);
    }
    if (before > 0 && record.rows.size() > before && order(record.rows[before], record.rows[before - 1]))
        std::stable_sort(record.rows.begin(), record.rows.end(), order);
}

void forEachChoice(const LayerRouting& routing, const ModelShape& shape,
                   const std::function<void(const RoutingChoice&)>& visit) {
    for (const NamedUnit& named : namesOf(routing, shape)) {
        const RoutedChoices& choices = *named.unit->choices;
        RoutingChoice choice;
        choice.layer = routing.layer;
        choice.head = named.head;
        choice.headGroup = named.headGroup;
        for (std::size_t query = choices.rows.first; query < choices.rows.last; ++query) {
            choice.query = static_cast<std::uint32_t>(query);
            for (const ChosenKey& chosen : choices.chosenKeys(query)) {
                choice.token = chosen.key;
                choice.signal = chosen.drawn ? kRandomBlocksSignal : std::string_view(named.unit->signal);
                choice.score = chosen.score;
                choice.threshold = chosen.threshold;
                choice.rank = chosen.rank;
                choice.budget = chosen.budget;
                visit(choice);
            }
        }
        choice.role = Role::Queries;
        choice.signal = named.unit->signal;
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

} // namespace fovea
