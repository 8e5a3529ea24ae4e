#include "ui/plot/MapFacts.h"
#include "core/text/Display.h"
#include "ui/plot/NumberText.h"
#include <QStringList>
#include <cmath>

namespace fovea::ui {

namespace {

std::optional<TileSource> sourceOf(const Snapshot& snapshot, int layer, int head) {
    if (!snapshot.full || !snapshot.tokens || layer < 0 || head < 0 ||
        static_cast<std::size_t>(layer) >= snapshot.full->layers.size() ||
        !snapshot.full->layers[static_cast<std::size_t>(layer)] || head >= snapshot.model->shape.heads)
        return std::nullopt;
    return snapshot.tileSource(layer);
}

QString quoted(const Tokens& tokens, std::size_t token) {
    return QStringLiteral("#%1 \"%2\"")
        .arg(token)
        .arg(QString::fromStdString(displayText(tokens.pieces[token], 24)));
}

QString twoDecimals(double value) {
    return QString::number(value, 'f', std::abs(value) < 1000 ? 2 : 0)
        .replace(QLatin1Char('-'), QChar(0x2212));
}

/// "group_dot 5.81, threshold 5.20, rank 9 of 32"
QString routerText(const PairFacts& facts) {
    QString text = QString::fromStdString(facts.signal);
    if (facts.router.score)
        text += QLatin1Char(' ') + twoDecimals(static_cast<double>(*facts.router.score));
    if (facts.router.threshold)
        text += QStringLiteral(", threshold ") + twoDecimals(static_cast<double>(*facts.router.threshold));
    if (facts.router.rank > 0)
        text += QStringLiteral(", rank %1 of %2").arg(facts.router.rank).arg(facts.router.budget);
    return text;
}

QString windowText(const LocalPart& local) {
    if (local.window >= kAll)
        return QStringLiteral("the window holds every key");
    if (local.dilation > 1)
        return QStringLiteral("one of %1 keys, %2 apart").arg(local.window).arg(local.dilation);
    if (local.sides == Sides::Both)
        return QStringLiteral("one of %1 keys to either side").arg(local.window / 2);
    return QStringLiteral("one of the nearest %1 keys").arg(local.window);
}

QString notReadText(const PairFacts& facts) {
    QString text = QStringLiteral("not routed: %1 of mass lost").arg(threeDigits(facts.full));
    if (facts.signal.empty())
        return text;
    const QString signal = QString::fromStdString(facts.signal);
    if (facts.router.score)
        return text + QStringLiteral(", %1 %2, place %3, budget %4")
                          .arg(signal, twoDecimals(static_cast<double>(*facts.router.score)))
                          .arg(facts.router.rank)
                          .arg(facts.router.budget);
    return text + QStringLiteral(", budget %1 of %2").arg(facts.router.budget).arg(signal);
}

} // namespace

QString tokenRangeWords(RowRange tokens) {
    return tokens.last - tokens.first == 1
               ? QStringLiteral("#%1").arg(tokens.first)
               : QStringLiteral("#%1\u2013#%2").arg(tokens.first).arg(tokens.last - 1);
}

std::optional<PairFacts> pairFacts(const Snapshot& snapshot, int layer, int head, int query, int key) {
    const std::optional<TileSource> source = sourceOf(snapshot, layer, head);
    const auto isToken = [&](int token) {
        return token >= 0 && static_cast<std::size_t>(token) < snapshot.tokens->size();
    };
    if (!source || !isToken(query) || !isToken(key))
        return std::nullopt;
    return fovea::pairFacts(*source, head, static_cast<std::size_t>(query), static_cast<std::size_t>(key));
}

std::optional<BlockFacts> blockFacts(const Snapshot& snapshot, int layer, int head, MapPane pane,
                                     RowRange queries, RowRange keys) {
    std::optional<TileSource> source = sourceOf(snapshot, layer, head);
    if (!source || queries.last > snapshot.tokens->size() || keys.last > snapshot.tokens->size())
        return std::nullopt;
    if (pane.arm == MapArm::A && pane.quantity != MapQuantity::ArmDifference)
        source = againstSource(*source);
    return fovea::blockFacts(*source, head, pane.quantity, queries, keys);
}

QString shortReason(ReadKind kind, const RouterFacts& router) {
    switch (kind) {
    case ReadKind::AfterQuery:
        return QStringLiteral("after the query");
    case ReadKind::NotRun:
        return QStringLiteral("not run yet");
    case ReadKind::FullHead:
        return QStringLiteral("full head");
    case ReadKind::Window:
        return QStringLiteral("local");
    case ReadKind::Chunk:
        return QStringLiteral("local, chunk");
    case ReadKind::Itself:
        return QStringLiteral("local, itself");
    case ReadKind::Sink:
        return QStringLiteral("sink");
    case ReadKind::PinnedKey:
        return QStringLiteral("pinned");
    case ReadKind::Special:
        return QStringLiteral("special token");
    case ReadKind::Separator:
        return QStringLiteral("separator");
    case ReadKind::PinnedQuery:
        return QStringLiteral("pinned as query");
    case ReadKind::OutsidePhase:
        return QStringLiteral("row outside the phase");
    case ReadKind::RoutedKey:
        return router.rank > 0 ? QStringLiteral("routed, %1/%2").arg(router.rank).arg(router.budget)
                               : QStringLiteral("routed");
    case ReadKind::RoutedQuery:
        return QStringLiteral("query role");
    case ReadKind::Summary:
        return QStringLiteral("summary");
    case ReadKind::LinearState:
        return QStringLiteral("linear state");
    case ReadKind::Recurrent:
        return QStringLiteral("recurrent state");
    case ReadKind::MeanValue:
        return QStringLiteral("mean of values");
    case ReadKind::OutsideNative:
        return QStringLiteral("outside the native window");
    case ReadKind::GlobalBlock:
        return QStringLiteral("global block");
    case ReadKind::Skipped:
        break;
    }
    return router.rank > 0 ? QStringLiteral("not routed, %1").arg(router.rank) : QStringLiteral("not routed");
}

QString longReason(const PairFacts& facts) {
    switch (facts.kind) {
    case ReadKind::AfterQuery:
        return QStringLiteral("comes after the query");
    case ReadKind::NotRun:
        return QStringLiteral("hybrid: not run yet");
    case ReadKind::FullHead:
        return QStringLiteral("this head reads every key in this layer");
    case ReadKind::Window:
        return QStringLiteral("local: ") + windowText(facts.local);
    case ReadKind::Chunk:
        return QStringLiteral("local: in the query's chunk of %1 keys%2")
            .arg(facts.local.chunk)
            .arg(facts.local.chunkPrevious != 0 ? QStringLiteral(" or the one before") : QString());
    case ReadKind::Itself:
        return QStringLiteral("local: the query reads nothing else, so it reads itself");
    case ReadKind::Sink:
        return QStringLiteral("always: sink");
    case ReadKind::PinnedKey:
        return QStringLiteral("always: pinned, key role");
    case ReadKind::Special:
        return QStringLiteral("always: special token");
    case ReadKind::Separator:
        return QStringLiteral("always: separator");
    case ReadKind::PinnedQuery:
        return QStringLiteral("always: pinned, query role");
    case ReadKind::OutsidePhase:
        return QStringLiteral("always: the row is outside the routed phase and reads everything");
    case ReadKind::RoutedKey:
        return QStringLiteral("routed, key role: ") + routerText(facts);
    case ReadKind::RoutedQuery:
        return QStringLiteral("routed, query role: ") + routerText(facts);
    case ReadKind::Summary:
        return QStringLiteral("far field: seen through a summary");
    case ReadKind::LinearState:
        return QStringLiteral("far field: seen through the linear state");
    case ReadKind::Recurrent:
        return QStringLiteral("far field: in the recurrent state, which has no weight for one token");
    case ReadKind::MeanValue:
        return QStringLiteral("far field: the row reads no key and gets the mean of the values");
    case ReadKind::OutsideNative:
        return QStringLiteral("outside the layer's native window: the model itself does not read it");
    case ReadKind::GlobalBlock:
        return QStringLiteral("always: the first or last block, which reads and is read by everything");
    case ReadKind::Skipped:
        break;
    }
    return notReadText(facts);
}

QString pairText(const PairFacts& facts, const Tokens& tokens, int layer, int head) {
    QString text = QStringLiteral("query %1  reads  key %2      L%3 H%4")
                       .arg(quoted(tokens, facts.query), quoted(tokens, facts.key))
                       .arg(layer)
                       .arg(head);
    if (!facts.computed())
        return text + QLatin1Char('\n') + longReason(facts);
    text += facts.key > facts.query ? QStringLiteral(", %1 after the query").arg(facts.key - facts.query)
                                    : QStringLiteral(", distance %1").arg(facts.query - facts.key);
    text += QStringLiteral("\nfull %1 (rank %2)").arg(threeDigits(facts.full)).arg(facts.rank);
    const bool known = facts.hybrid && !std::isnan(*facts.hybrid);
    if (facts.against) { // full attention, then the arms
        text += QStringLiteral("   A %1").arg(threeDigits(*facts.against));
        if (known)
            text += QStringLiteral("   B %1   B \u2212 A %2")
                        .arg(threeDigits(*facts.hybrid), signedThreeDigits(*facts.hybrid - *facts.against));
    } else if (known) {
        text += QStringLiteral("   B %1   B \u2212 full %2")
                    .arg(threeDigits(*facts.hybrid), signedThreeDigits(*facts.hybrid - facts.full));
    }
    text += QStringLiteral("   score ") + twoDecimals(facts.logit) + QLatin1Char('\n');
    if (facts.against)
        return text +
               QStringLiteral("A: %1\nB: %2").arg(shortReason(facts.againstKind, {}), longReason(facts));
    return text + longReason(facts);
}

QString blockText(const BlockFacts& facts, MapQuantity quantity) {
    QString text = QStringLiteral("queries %1, keys %2\n")
                       .arg(tokenRangeWords(facts.queries), tokenRangeWords(facts.keys));
    if (facts.pairs == 0)
        return text + QStringLiteral("come after the queries");
    QStringList parts;
    if (facts.values && quantity != MapQuantity::Kept) {
        const double largest = facts.values->largest;
        parts << QStringLiteral("max %1 at (%2, %3)")
                     .arg(threeDigits(largest))
                     .arg(facts.values->query)
                     .arg(facts.values->key);
        if (!std::isnan(facts.values->mass))
            parts << QStringLiteral("mass %1").arg(threeDigits(facts.values->mass));
    }
    if (facts.read) {
        parts << QStringLiteral("%1 % kept").arg(threeDigits(facts.keptShare() * 100));
        if (facts.read->far > 0)
            parts << QStringLiteral("%1 % far field")
                         .arg(threeDigits(100 * static_cast<double>(facts.read->far) /
                                          static_cast<double>(facts.pairs)));
    } else if (quantity != MapQuantity::Full) {
        parts << (facts.coveredRows == 0 ? QStringLiteral("hybrid: not run yet")
                                         : QStringLiteral("hybrid: not run yet for %1 of %2 queries")
                                               .arg(facts.rows - facts.coveredRows)
                                               .arg(facts.rows));
    }
    return text + parts.join(QStringLiteral(", "));
}

} // namespace fovea::ui
