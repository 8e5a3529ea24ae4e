#include "ui/views/InspectorReport.h"
#include "core/text/Display.h"
#include "ui/plot/MapFacts.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/SameOwner.h"
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
    report.from = newest;
    report.againstPolicy = newest->against != nullptr;
    report.otherRun = newest->request && newest->request->other;
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
    if (key > query && shape.causal) {
        report.pair = pairFacts(*newest, wish.layer, wish.head, query, key);
        return report;
    }
    const RowFacts row(*source, wish.head, static_cast<std::size_t>(query));
    report.pair = fovea::pairFacts(*source, wish.head, row, static_cast<std::size_t>(key),
                                   candidateScores(*source, route, shape, wish.head, row));
    return report;
}

bool BlockReport::answers(const InspectorWish& wish, const SnapshotPtr& newest) const {
    return block == wish.block && layer == wish.layer && head == wish.head &&
           sameOwner(from, std::weak_ptr(newest));
}

Result<std::shared_ptr<const BlockReport>>
makeBlockReport(const InspectorWish& wish, const SnapshotPtr& newest, const WorkContext& work) {
    const std::optional<TileSource> source = newest->tileSource(wish.layer);
    const SelectionModel::Block& block = wish.block;
    const int count = static_cast<int>(newest->tokens->size());
    if (!source || !block.valid() || block.queryLast > count || block.keyLast > count)
        return fail(ErrorCode::BadValue, "the block or its layer is not there");
    const auto range = [](int first, int last) {
        return RowRange{static_cast<std::size_t>(first), static_cast<std::size_t>(last)};
    };
    const RowRange queries = range(block.queryFirst, block.queryLast);
    const RowRange keys = range(block.keyFirst, block.keyLast);
    auto report = std::make_shared<BlockReport>();
    report->layer = wish.layer;
    report->head = wish.head;
    report->block = block;
    report->from = newest;
    report->full = fovea::blockFacts(*source, wish.head, MapQuantity::Full, queries, keys, work);
    report->hybrid = fovea::blockFacts(*source, wish.head, MapQuantity::Hybrid, queries, keys, work);
    if (work.cancel.cancelled())
        return fail(ErrorCode::Cancelled, "cancelled");
    return report;
}

namespace {

QString blockSentence(const BlockReport& report) {
    const BlockFacts &full = report.full, &hybrid = report.hybrid;
    const QString who = full.queries.last - full.queries.first == 1
                            ? QObject::tr("%1 reads").arg(tokenRangeWords(full.queries))
                            : QObject::tr("%1 read, on average,").arg(tokenRangeWords(full.queries));
    if (full.pairs == 0)
        return QObject::tr(
                   "Keys %1 come after the queries %2, or outside the layer's own window: never read.")
            .arg(tokenRangeWords(full.keys), tokenRangeWords(full.queries));
    const auto percent = [](double mass) { return QStringLiteral("%1 %").arg(threeDigits(100 * mass)); };
    QString text = QObject::tr("%1 %2 of their attention from keys %3")
                       .arg(who, percent(full.values->mass), tokenRangeWords(full.keys));
    if (full.queries.last - full.queries.first == 1)
        text.replace(QObject::tr("their"), QObject::tr("its"));
    if (hybrid.values)
        text += QObject::tr(" in full attention, %1 in the hybrid").arg(percent(hybrid.values->mass));
    if (hybrid.read)
        text += QObject::tr("; %1 of %2 pairs kept").arg(hybrid.read->kept).arg(full.pairs);
    return text + QLatin1Char('.');
}

} // namespace

QString reportSentence(const InspectorReport& report, const Tokens& tokens) {
    if (report.block)
        return blockSentence(*report.block);
    if (const SelectionModel::Block& block = report.wish.block; block.valid())
        return QObject::tr("Sums what %1 queries read of %2 keys.")
            .arg(block.queryLast - block.queryFirst)
            .arg(block.keyLast - block.keyFirst);
    if (!report.pair)
        return {};
    const PairFacts& facts = *report.pair;
    const auto q = static_cast<int>(facts.query), k = static_cast<int>(facts.key);
    const QString query = tokenLabel(tokens, q), key = tokenLabel(tokens, k);
    if (facts.kind == ReadKind::AfterQuery)
        return QObject::tr("%1 comes after %2: never read.").arg(key, query);
    const QString back = q == k  ? QObject::tr("itself")
                         : q > k ? QObject::tr("%1 back").arg(q - k)
                                 : QObject::tr("%1 ahead").arg(k - q);
    const bool reads = facts.kind != ReadKind::Skipped && facts.kind != ReadKind::OutsideNative;
    if (facts.kind == ReadKind::NotRun)
        return QObject::tr("%1 and %2, %3: the hybrid has not run for this row yet.").arg(query, key, back);
    return QObject::tr("%1 %2 %3, %4: %5.")
        .arg(query, reads ? QObject::tr("reads") : QObject::tr("does not read"), key, back,
             longReason(facts));
}

QString pairAnatomy(const InspectorReport& report) {
    if (!report.pair)
        return {};
    const PairFacts& facts = *report.pair;
    const auto q = static_cast<int>(facts.query), k = static_cast<int>(facts.key);
    if (!facts.computed())
        return {}; // the sentence says all
    QStringList lines;
    lines << QObject::tr("L%1 H%2, distance %3").arg(report.wish.layer).arg(report.wish.head).arg(q - k);
    lines << QObject::tr("score %1 (q.k times %2), log-sum-exp %3")
                 .arg(threeDigits(facts.logit), threeDigits(static_cast<double>(report.scale)),
                      threeDigits(facts.lse));
    lines << QObject::tr("full %1 (rank %2)").arg(threeDigits(facts.full)).arg(facts.rank);
    if (facts.hybrid && !std::isnan(*facts.hybrid))
        lines << QObject::tr("B %1   B \u2212 full %2")
                     .arg(threeDigits(*facts.hybrid), signedThreeDigits(*facts.hybrid - facts.full));
    if (facts.against)
        lines << QObject::tr("A %1 (%2)   B - A %3")
                     .arg(threeDigits(*facts.against), shortReason(facts.againstKind, {}),
                          facts.hybrid && !std::isnan(*facts.hybrid)
                              ? signedThreeDigits(*facts.hybrid - *facts.against)
                              : QStringLiteral("-"));
    return lines.join(QLatin1Char('\n'));
}

} // namespace fovea::ui
