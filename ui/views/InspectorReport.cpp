#include "ui/views/InspectorReport.h"
#include "core/measure/AttentionColumn.h"
#include "core/route/Router.h"
#include "core/text/Display.h"
#include "ui/views/TokenTint.h"
#include <algorithm>
#include <cmath>
#include <numeric>

namespace fovea::ui {

namespace {

/// One row's attention and what the router thought of its keys.
class Row {
public:
    Row(const Snapshot& snapshot, int layer, int head, int query)
        : m_snapshot(snapshot), m_head(head), m_query(query),
          m_source(*coveredSource(snapshot, layer, head, query)),
          m_row(makeRow(head, static_cast<std::size_t>(query), m_source)) {
        if (!covered() || fullLayer() || !snapshot.full)
            return;
        const AttentionPolicy& policy = m_source.plan->policyOf(head);
        if (!policy.routed.on())
            return;
        if (auto scores = signalScores(policy, snapshot.model->shape, snapshot.routeInput(layer), head,
                                       static_cast<std::size_t>(query), {}))
            m_scores = std::move(*scores);
    }
    [[nodiscard]] const AttentionRow& row() const { return m_row; }
    [[nodiscard]] const TileSource& source() const { return m_source; }
    [[nodiscard]] bool covered() const { return m_source.plan != nullptr; }
    [[nodiscard]] bool fullLayer() const { return covered() && m_source.plan->full; }

    /// 1: the largest p.
    [[nodiscard]] std::size_t rankOf(std::size_t key) const {
        return 1 + static_cast<std::size_t>(std::count_if(m_row.full.begin(), m_row.full.end(),
                                                          [&](float p) { return p > m_row.full[key]; }));
    }
    [[nodiscard]] QString why(std::size_t key) const {
        if (!covered())
            return QObject::tr("no plan yet");
        if (fullLayer())
            return QObject::tr("full layer");
        switch (m_row.reason[key]) {
        case Reason::Local:
            return QObject::tr("local");
        case Reason::Far:
            return QObject::tr("far field");
        case Reason::Always:
            return always(key);
        case Reason::Routed:
            return routed(key, false);
        case Reason::Skipped:
            break;
        }
        const auto rank = routerRank(key);
        return rank ? QObject::tr("not routed, %1").arg(*rank) : QObject::tr("not routed");
    }
    /// The third line of a pair's anatomy.
    [[nodiscard]] QString longWhy(std::size_t key) const {
        if (!covered() || fullLayer() || m_row.reason[key] == Reason::Local ||
            m_row.reason[key] == Reason::Always || m_row.reason[key] == Reason::Far)
            return why(key);
        if (m_row.reason[key] == Reason::Routed)
            return routed(key, true);
        QString text =
            QObject::tr("not routed: %1 of mass lost").arg(threeDigits(static_cast<double>(m_row.full[key])));
        if (const auto rank = routerRank(key)) {
            text += QObject::tr(", %1 %2, rank %3")
                        .arg(QString::fromStdString(m_snapshot.request->policy.routed.signal))
                        .arg(threeDigits(static_cast<double>(m_scores[key])))
                        .arg(*rank);
            if (const RoutedChoices* choices = chosen(); choices && inRows(*choices))
                text += QObject::tr(", budget %1")
                            .arg(choices->budget[static_cast<std::size_t>(m_query) - choices->rows.first]);
        }
        return text;
    }

private:
    [[nodiscard]] const RoutedChoices* chosen() const { return m_source.plan->choicesOf(m_head); }
    [[nodiscard]] bool inRows(const RoutedChoices& choices) const {
        const auto q = static_cast<std::size_t>(m_query);
        return q >= choices.rows.first && q < choices.rows.last;
    }
    [[nodiscard]] QString always(std::size_t key) const {
        const AttentionPolicy& own = m_source.plan->policyOf(m_head);
        const AlwaysPart& part = own.always;
        if (static_cast<std::int64_t>(key) < part.sinks)
            return QObject::tr("sink");
        for (const PinnedRange& range : part.pinned)
            if (static_cast<std::int64_t>(key) >= range.first && static_cast<std::int64_t>(key) <= range.last)
                return QObject::tr("pinned");
        const TokenFacts& facts = *m_source.plan->facts;
        if (part.special && key < facts.special.size() && facts.special[key] != 0)
            return QObject::tr("special");
        if (part.punctuation && key < facts.punctuation.size() && facts.punctuation[key] != 0)
            return QObject::tr("punctuation");
        return own.routed.phase == Phase::All ? QObject::tr("pinned as query")
                                              : QObject::tr("row outside the phase");
    }
    [[nodiscard]] QString routed(std::size_t key, bool inFull) const {
        const RoutedChoices* choices = chosen();
        const QString signal = QString::fromStdString(m_snapshot.request->policy.routed.signal);
        if (choices && inRows(*choices)) {
            const std::size_t r = static_cast<std::size_t>(m_query) - choices->rows.first;
            const auto keys = choices->row(static_cast<std::size_t>(m_query));
            const auto found = std::lower_bound(keys.begin(), keys.end(), key);
            if (found != keys.end() && *found == key) {
                const std::size_t at = choices->rowBegin[r] + static_cast<std::size_t>(found - keys.begin());
                if (!inFull)
                    return QObject::tr("routed, %1/%2").arg(choices->ranks[at]).arg(choices->budget[r]);
                return QObject::tr("routed, key role: %1 %2, threshold %3, rank %4 of %5")
                    .arg(signal, threeDigits(static_cast<double>(choices->scores[at])),
                         threeDigits(static_cast<double>(choices->threshold[r])))
                    .arg(choices->ranks[at])
                    .arg(choices->budget[r]);
            }
        }
        const auto q = static_cast<std::size_t>(m_query);
        if (inFull && choices && q < choices->queryScore.size())
            return QObject::tr("routed, query role: %1 %2, threshold %3")
                .arg(signal, threeDigits(static_cast<double>(choices->queryScore[q])),
                     threeDigits(static_cast<double>(choices->queryThreshold[q])));
        return QObject::tr("query role");
    }
    /// Place of a candidate in the router's order; ties go to the later token.
    [[nodiscard]] std::optional<std::size_t> routerRank(std::size_t key) const {
        if (key >= m_scores.size() || std::isnan(m_scores[key]))
            return {};
        std::size_t rank = 1;
        for (std::size_t j = 0; j < m_scores.size(); ++j)
            rank += m_scores[j] > m_scores[key] || (j > key && m_scores[j] == m_scores[key]) ? 1 : 0;
        return rank;
    }

    const Snapshot& m_snapshot;
    int m_head, m_query;
    TileSource m_source;
    AttentionRow m_row;
    std::vector<float> m_scores; ///< the router's, NaN where no candidate; empty: no such signal
};

/// Indices of the `count` largest values, largest first, ties: the later one.
std::vector<std::size_t> largest(const std::vector<float>& values, std::size_t count) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    count = std::min(count, order.size());
    std::partial_sort(
        order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
        [&](std::size_t a, std::size_t b) { return values[a] != values[b] ? values[a] > values[b] : a > b; });
    order.resize(count);
    return order;
}

void fillReads(InspectorReport& report, const Row& row, std::size_t lines) {
    const AttentionRow& r = row.row();
    const int query = report.wish.token;
    report.keys = r.full.size();
    report.covered = row.covered();
    report.fullLayer = row.fullLayer();
    if (row.covered()) {
        double mass = 0;
        for (std::size_t j = 0; j < r.full.size(); ++j)
            if (r.reason[j] != Reason::Skipped) {
                ++report.keptKeys;
                mass += static_cast<double>(r.full[j]);
            }
        report.keptMass = mass;
    }
    for (const std::size_t key : largest(r.full, lines)) {
        ReadLine line{query, static_cast<int>(key), r.full[key], {}, r.reason[key], row.why(key)};
        if (row.covered())
            line.hybrid = r.hybrid[key];
        report.reads.push_back(std::move(line));
    }
}

void fillReadBy(InspectorReport& report, const Snapshot& snapshot, std::size_t lines) {
    const InspectorWish& w = report.wish;
    const auto source = snapshot.tileSource(w.layer);
    const AttentionColumn column = makeColumn(w.head, static_cast<std::size_t>(w.token), *source);
    report.later = column.full.size();
    for (std::size_t i = 0; i < column.full.size(); ++i) {
        if (!source->plan || std::isnan(column.hybrid[i]))
            continue;
        ++report.coveredReaders;
        report.readers += column.reason[i] != Reason::Skipped ? 1 : 0;
        report.routedReaders += column.reason[i] == Reason::Routed ? 1 : 0;
    }
    for (const std::size_t i : largest(column.full, lines)) {
        const int query = w.token + static_cast<int>(i);
        ReadLine line{query, w.token, column.full[i], {}, column.reason[i], {}};
        const Row row(snapshot, w.layer, w.head, query);
        line.why = row.why(static_cast<std::size_t>(w.token));
        if (row.covered())
            line.hybrid = column.hybrid[i];
        report.readBy.push_back(std::move(line));
    }
}

void fillWhy(InspectorReport& report, const SnapshotPtr& newest, const SnapshotPtr& complete) {
    SnapshotPtr from = newest;
    if (!from->propagated && complete && complete->propagated && complete->tokens &&
        (complete->tokens == newest->tokens || complete->tokens->ids == newest->tokens->ids))
        from = complete;
    if (!from->propagated || !from->propagated->routing || !from->model)
        return;
    const RoutingRecord& record = *from->propagated->routing;
    const ModelShape& shape = from->model->shape;
    report.whyKnown = true;
    report.whyFrom = from == newest ? 0 : from->generation;
    report.signal = QString::fromStdString(record.signalNames());
    for (const RoutingRow& row : record.rows) {
        if (static_cast<int>(row.token) != report.wish.token)
            continue;
        auto line = std::find_if(report.why.begin(), report.why.end(), [&](const WhyLine& known) {
            return known.layer == row.layer && known.role == row.role;
        });
        if (line == report.why.end()) {
            report.why.push_back(
                {row.layer, 0, shape.heads, row.role, row.score, row.threshold, row.rank, row.budget, 0});
            line = report.why.end() - 1;
        } else if (row.rank < line->rank) {
            line->score = row.score;
            line->threshold = row.threshold;
            line->rank = row.rank;
            line->budget = row.budget;
        }
        line->heads += row.headGroup >= 0 ? shape.headsPerKv() : 1;
        line->queries = std::max(line->queries, row.queries);
    }
    std::stable_sort(report.why.begin(), report.why.end(),
                     [](const WhyLine& a, const WhyLine& b) { return a.layer < b.layer; });
}

QString pairText(const Snapshot& snapshot, const InspectorWish& w) {
    const Tokens& tokens = *snapshot.tokens;
    const auto [q, k] = w.pair;
    if (k > q)
        return QObject::tr("#%1 comes after the query #%2: never read.").arg(k).arg(q);
    const Row row(snapshot, w.layer, w.head, q);
    const auto key = static_cast<std::size_t>(k);
    const std::size_t at = static_cast<std::size_t>(q) * static_cast<std::size_t>(row.source().input.heads) +
                           static_cast<std::size_t>(w.head);
    Matrix score(1, 1);
    logitTile(row.source().input, w.head, static_cast<std::size_t>(q), key, score.view(), row.source().isa);
    const double s = static_cast<double>(score.view()(0, 0)),
                 lse = static_cast<double>(row.source().fullLse[at]);
    const double p = static_cast<double>(row.row().full[key]);
    QStringList lines;
    lines << QObject::tr("query %1 reads key %2").arg(tokenLabel(tokens, q), tokenLabel(tokens, k));
    lines << QObject::tr("L%1 H%2, distance %3").arg(w.layer).arg(w.head).arg(q - k);
    lines << QObject::tr("score %1 (q.k times %2), log-sum-exp %3")
                 .arg(threeDigits(s), threeDigits(static_cast<double>(row.source().input.scale)),
                      threeDigits(lse));
    QString masses = QObject::tr("p %1 (rank %2)").arg(threeDigits(p)).arg(row.rankOf(key));
    if (row.covered()) {
        const double hybrid = static_cast<double>(row.row().hybrid[key]);
        masses += QObject::tr("   p^ %1   p^ - p %2%3")
                      .arg(threeDigits(hybrid), hybrid > p ? QStringLiteral("+") : QString(),
                           threeDigits(hybrid - p));
    }
    lines << masses << row.longWhy(key);
    return lines.join(QLatin1Char('\n'));
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
    if (!newest->tileSource(wish.layer))
        return report;
    if (wish.token >= 0 && wish.token < count) {
        fillReads(report, Row(*newest, wish.layer, wish.head, wish.token), lines);
        fillReadBy(report, *newest, lines);
    }
    if (wish.pair.valid() && wish.pair.query < count && wish.pair.key >= 0 && wish.pair.key < count)
        report.pair = pairText(*newest, wish);
    return report;
}

} // namespace fovea::ui
