#include "ui/plot/MapFacts.h"
#include "core/text/Display.h"
#include "ui/plot/MapPicture.h"
#include <algorithm>
#include <cmath>

namespace fovea::ui {

namespace {

bool covers(const TileSource& source, int head, std::size_t query) {
    if (!source.plan || source.hybridLse.empty())
        return false;
    if (source.plan->full) // then hybrid is full, whatever was computed
        return true;
    const auto& plan = source.plan->heads[static_cast<std::size_t>(head)];
    const std::size_t at =
        query * static_cast<std::size_t>(source.input.heads) + static_cast<std::size_t>(head);
    return plan && query >= plan->rows.first && query < plan->rows.last && !std::isnan(source.hybridLse[at]);
}

bool hasTile(const Snapshot& snapshot, int layer) {
    return snapshot.full && layer >= 0 && static_cast<std::size_t>(layer) < snapshot.full->layers.size() &&
           snapshot.full->layers[static_cast<std::size_t>(layer)];
}

void addRouting(PairFacts& facts, const AttentionPlan& plan) {
    const RoutedChoices* unit = plan.choicesOf(facts.head);
    const auto query = static_cast<std::size_t>(facts.query);
    if (!unit)
        return;
    if (query < unit->queryRole.size() && unit->queryRole[query] == kReadsAll &&
        facts.reason == Reason::Routed)
        facts.role = Role::Queries;
    if (facts.role == Role::Queries) {
        if (query < unit->queryScore.size()) {
            facts.signalScore = static_cast<double>(unit->queryScore[query]);
            facts.threshold = static_cast<double>(unit->queryThreshold[query]);
        }
        return;
    }
    if (query < unit->rows.first || query >= unit->rows.last)
        return;
    const std::size_t row = query - unit->rows.first;
    facts.budget = static_cast<int>(unit->budget[row]);
    if (!std::isnan(unit->threshold[row]))
        facts.threshold = static_cast<double>(unit->threshold[row]);
    const auto keys = unit->row(query);
    const auto it = std::lower_bound(keys.begin(), keys.end(), static_cast<std::uint32_t>(facts.key));
    if (it == keys.end() || *it != static_cast<std::uint32_t>(facts.key))
        return;
    const std::size_t at = unit->rowBegin[row] + static_cast<std::size_t>(it - keys.begin());
    const ChosenKey chosen = unit->chosen(query, at);
    facts.signalScore = static_cast<double>(chosen.score);
    facts.signalRank = static_cast<int>(chosen.rank);
    facts.budget = static_cast<int>(chosen.budget);
    facts.threshold.reset();
    if (!std::isnan(chosen.threshold))
        facts.threshold = static_cast<double>(chosen.threshold);
}

QString alwaysKindOf(const AttentionPolicy& policy, const TokenFacts* tokens, int query, int key) {
    if (key < policy.always.sinks)
        return QStringLiteral("sink");
    for (const PinnedRange& range : policy.always.pinned) {
        const bool keyIn = key >= range.first && key <= range.last && range.role != Role::Queries;
        const bool queryIn = query >= range.first && query <= range.last && range.role != Role::Keys;
        if (keyIn || queryIn)
            return queryIn && !keyIn ? QStringLiteral("pinned, query role")
                                     : QStringLiteral("pinned, key role");
    }
    const auto at = static_cast<std::size_t>(key);
    if (tokens != nullptr && policy.always.special && at < tokens->special.size() && tokens->special[at] != 0)
        return QStringLiteral("special token");
    return QStringLiteral("separator");
}

QString quoted(const Tokens& tokens, int token) {
    return QStringLiteral("#%1 \"%2\"")
        .arg(token)
        .arg(QString::fromStdString(displayText(tokens.pieces[static_cast<std::size_t>(token)], 24)));
}

QString twoDecimals(double value) {
    return QString::number(value, 'f', std::abs(value) < 1000 ? 2 : 0)
        .replace(QLatin1Char('-'), QChar(0x2212));
}

} // namespace

std::vector<std::uint8_t> queryRoles(const AttentionPlan& plan, int head) {
    const RoutedChoices* unit = plan.choicesOf(head);
    std::vector<std::uint8_t> roles = unit ? unit->queryRole : std::vector<std::uint8_t>();
    for (std::uint8_t& role : roles) // one that reads the routed keys only draws no row of its own
        role = role == kReadsAll ? 1 : 0;
    return roles;
}

std::optional<PairFacts> pairFacts(const Snapshot& snapshot, int layer, int head, int query, int key) {
    if (!hasTile(snapshot, layer) || !snapshot.tokens || query < 0 || key < 0 ||
        static_cast<std::size_t>(std::max(query, key)) >= snapshot.tokens->size())
        return std::nullopt;
    PairFacts facts;
    facts.layer = layer;
    facts.head = head;
    facts.query = query;
    facts.key = key;
    if (key > query) {
        facts.impossible = true;
        return facts;
    }
    const std::optional<TileSource> source = snapshot.tileSource(layer);
    if (!source)
        return std::nullopt;
    TileSource rowSource = *source;
    const bool covered = covers(*source, head, static_cast<std::size_t>(query));
    if (!covered)
        rowSource.plan = nullptr; // the row of full attention only
    const AttentionRow row = makeRow(head, static_cast<std::size_t>(query), rowSource);
    const auto k = static_cast<std::size_t>(key);
    facts.full = static_cast<double>(row.full[k]);
    facts.fullRank = 1 + static_cast<int>(std::count_if(row.full.begin(), row.full.end(),
                                                        [&](float p) { return p > row.full[k]; }));
    Matrix logit(1, 1);
    logitTile(source->input, head, static_cast<std::size_t>(query), k, logit.view(), source->isa);
    facts.score = static_cast<double>(*logit.view().row(0));
    if (!covered)
        return facts;
    facts.hybrid = static_cast<double>(row.hybrid[k]);
    facts.reason = row.reason[k];
    facts.fullLayer = source->plan->full;
    const AttentionPolicy& policy = source->plan->policyOf(head);
    facts.window = policy.local.window >= kAll ? 0 : static_cast<int>(policy.local.window);
    if (policy.routed.on())
        facts.signal = QString::fromStdString(policy.routed.signal);
    if (!facts.fullLayer)
        addRouting(facts, *source->plan);
    if (facts.reason == Reason::Always)
        facts.alwaysKind = alwaysKindOf(policy, snapshot.facts.get(), query, key);
    return facts;
}

QString routingText(const PairFacts& facts) {
    QString text = facts.signal;
    if (facts.signalScore)
        text += QLatin1Char(' ') + twoDecimals(*facts.signalScore);
    if (facts.threshold)
        text += QStringLiteral(", threshold ") + twoDecimals(*facts.threshold);
    if (facts.signalRank > 0)
        text += QStringLiteral(", rank %1 of %2").arg(facts.signalRank).arg(facts.budget);
    return text;
}

QString pairText(const PairFacts& facts, const Tokens& tokens) {
    QString text = QStringLiteral("query %1  reads  key %2      L%3 H%4")
                       .arg(quoted(tokens, facts.query), quoted(tokens, facts.key))
                       .arg(facts.layer)
                       .arg(facts.head);
    if (facts.impossible)
        return text + QStringLiteral("\ncomes after the query");
    text += QStringLiteral(", distance %1").arg(facts.query - facts.key);
    text += QStringLiteral("\np %1 (rank %2)").arg(threeDigits(facts.full)).arg(facts.fullRank);
    if (facts.hybrid)
        text += QStringLiteral("   p\u0302 %1   p\u0302 \u2212 p %2")
                    .arg(threeDigits(*facts.hybrid), signedThreeDigits(*facts.hybrid - facts.full));
    text += QStringLiteral("   score ") + twoDecimals(facts.score) + QLatin1Char('\n');
    if (!facts.hybrid)
        return text + QStringLiteral("hybrid: not computed yet");
    if (facts.fullLayer)
        return text + QStringLiteral("this layer is kept full: every key is read");
    switch (facts.reason) {
    case Reason::Local:
        return text + (facts.window > 0
                           ? QStringLiteral("local: one of the nearest %1 keys").arg(facts.window)
                           : QStringLiteral("local: the window holds every key"));
    case Reason::Always:
        return text + QStringLiteral("always: ") + facts.alwaysKind;
    case Reason::Routed:
        return text +
               (facts.role == Role::Queries ? QStringLiteral("routed, query role: ")
                                            : QStringLiteral("routed, key role: ")) +
               routingText(facts);
    case Reason::Far:
        return text + QStringLiteral("far field: seen through a summary");
    case Reason::Skipped:
        break;
    }
    text += QStringLiteral("not routed: %1 of mass lost, rank %2")
                .arg(threeDigits(facts.full))
                .arg(facts.fullRank);
    if (!facts.signal.isEmpty())
        text += QStringLiteral(", budget %1").arg(facts.budget);
    return text;
}

std::optional<BlockFacts> blockFacts(const Snapshot& snapshot, int layer, int head, MapQuantity quantity,
                                     RowRange queries, RowRange keys) {
    if (!hasTile(snapshot, layer))
        return std::nullopt;
    const std::optional<TileSource> source = snapshot.tileSource(layer);
    if (!source)
        return std::nullopt;
    BlockFacts facts;
    facts.queries = queries;
    facts.keys = keys;
    std::size_t pairs = 0, kept = 0, coveredRows = 0;
    for (std::size_t q = queries.first; q < queries.last; ++q) {
        if (q < keys.first)
            continue;
        TileSource rowSource = *source;
        const bool covered = covers(*source, head, q);
        if (!covered)
            rowSource.plan = nullptr;
        else
            ++coveredRows;
        const AttentionRow row = makeRow(head, q, rowSource);
        for (std::size_t k = keys.first; k < std::min(keys.last, q + 1); ++k) {
            const double value =
                static_cast<double>(quantity == MapQuantity::Hybrid       ? row.hybrid[k]
                                    : quantity == MapQuantity::Difference ? row.hybrid[k] - row.full[k]
                                                                          : row.full[k]);
            ++pairs;
            if (covered && row.reason[k] != Reason::Skipped)
                ++kept;
            facts.mass += value;
            if (std::abs(value) > std::abs(facts.largest)) {
                facts.largest = value;
                facts.largestQuery = static_cast<int>(q);
                facts.largestKey = static_cast<int>(k);
            }
        }
    }
    facts.mass /= static_cast<double>(std::max<std::size_t>(1, queries.last - queries.first));
    if (coveredRows > 0 && pairs > 0)
        facts.keptShare = static_cast<double>(kept) / static_cast<double>(pairs);
    return facts;
}

QString blockText(const BlockFacts& facts) {
    QString text = QStringLiteral("queries %1\u2013%2, keys %3\u2013%4\nmax %5 at (%6, %7), mass %8")
                       .arg(facts.queries.first)
                       .arg(facts.queries.last - 1)
                       .arg(facts.keys.first)
                       .arg(facts.keys.last - 1)
                       .arg(threeDigits(facts.largest))
                       .arg(facts.largestQuery)
                       .arg(facts.largestKey)
                       .arg(threeDigits(facts.mass));
    if (facts.keptShare)
        text += QStringLiteral(", %1 % kept").arg(threeDigits(*facts.keptShare * 100));
    return text;
}

} // namespace fovea::ui
