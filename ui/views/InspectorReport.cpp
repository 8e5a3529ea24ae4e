#include "ui/views/InspectorReport.h"
#include "core/text/Display.h"
#include "ui/plot/MapFacts.h"
#include "ui/plot/NumberText.h"
#include <cmath>

namespace fovea::ui {

namespace {

/// The routing record of the newest propagated run over this text.
void fillWhy(InspectorReport& report, const SnapshotPtr& newest, const SnapshotPtr& complete) {
    SnapshotPtr from = newest;
    if (!from->propagated && complete && complete->propagated && complete->tokens &&
        (complete->tokens == newest->tokens || complete->tokens->ids == newest->tokens->ids))
        from = complete;
    if (!from->propagated || !from->propagated->routing || !from->model || report.wish.token < 0)
        return;
    const RoutingRecord& record = *from->propagated->routing;
    report.whyKnown = true;
    report.whyFrom = from == newest ? 0 : from->generation;
    report.signal = QString::fromStdString(record.signalNames());
    report.why = routedLayers(record, from->model->shape, static_cast<std::size_t>(report.wish.token));
}

} // namespace

QString tokenLabel(const Tokens& tokens, int token, std::size_t characters) {
    const QString text =
        QString::fromStdString(displayText(tokens.pieces[static_cast<std::size_t>(token)], characters));
    return QStringLiteral("#%1 \"%2\"").arg(token).arg(text);
}

InspectorReport makeInspectorReport(const InspectorWish& wish, const SnapshotPtr& newest,
                                    const SnapshotPtr& complete, std::size_t lines) {
    InspectorReport report;
    report.wish = wish;
    const int count = static_cast<int>(newest->tokens->size());
    fillWhy(report, newest, complete);
    const std::optional<TileSource> source = newest->tileSource(wish.layer);
    if (!source)
        return report;
    const RouteInput route = newest->routeInput(wish.layer);
    const ModelShape& shape = newest->model->shape;
    if (wish.token >= 0 && wish.token < count)
        report.token =
            tokenReport(*source, route, shape, wish.head, static_cast<std::size_t>(wish.token), lines);
    const auto [query, key] = wish.pair;
    if (!wish.pair.valid() || query >= count || key < 0 || key >= count)
        return report;
    report.scale = source->input.scale;
    if (key > query) {
        report.pair = pairFacts(*newest, wish.layer, wish.head, query, key);
        return report;
    }
    const RowFacts row(*source, wish.head, static_cast<std::size_t>(query));
    report.pair = fovea::pairFacts(*source, wish.head, row, static_cast<std::size_t>(key),
                                   candidateScores(*source, route, shape, wish.head, row));
    return report;
}

QString pairAnatomy(const InspectorReport& report, const Tokens& tokens) {
    if (!report.pair)
        return {};
    const PairFacts& facts = *report.pair;
    const auto q = static_cast<int>(facts.query), k = static_cast<int>(facts.key);
    if (facts.kind == ReadKind::AfterQuery)
        return QObject::tr("#%1 comes after the query #%2: never read.").arg(k).arg(q);
    if (!facts.computed())
        return QObject::tr("query #%1, key #%2: %3.").arg(q).arg(k).arg(longReason(facts));
    QStringList lines;
    lines << QObject::tr("query %1 reads key %2").arg(tokenLabel(tokens, q), tokenLabel(tokens, k));
    lines << QObject::tr("L%1 H%2, distance %3").arg(report.wish.layer).arg(report.wish.head).arg(q - k);
    lines << QObject::tr("score %1 (q.k times %2), log-sum-exp %3")
                 .arg(threeDigits(facts.logit), threeDigits(static_cast<double>(report.scale)),
                      threeDigits(facts.lse));
    QString masses = QObject::tr("p %1 (rank %2)").arg(threeDigits(facts.full)).arg(facts.rank);
    if (facts.hybrid && !std::isnan(*facts.hybrid))
        masses +=
            QObject::tr("   p^ %1   p^ - p %2%3")
                .arg(threeDigits(*facts.hybrid), *facts.hybrid > facts.full ? QStringLiteral("+") : QString(),
                     threeDigits(*facts.hybrid - facts.full));
    lines << masses << longReason(facts);
    return lines.join(QLatin1Char('\n'));
}

} // namespace fovea::ui
