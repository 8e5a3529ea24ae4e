// The scores of one row say what the router ranked: its choices, scores, ranks and bar follow from them.
#include "core/policy/SignalSpec.h"
#include "tests/support/TinySnapshot.h"
#include <QtTest>
#include <algorithm>

using namespace fovea;

class tst_SignalScores : public QObject {
    Q_OBJECT
private slots:
    void scores_areThoseTheRouterRankedBy_data();
    void scores_areThoseTheRouterRankedBy();
    void querySignal_isRefused();
};

void tst_SignalScores::scores_areThoseTheRouterRankedBy_data() {
    QTest::addColumn<QString>("signal");
    QTest::addColumn<bool>("perText");
    for (const char* signal :
         {"group_dot", "head_dot", "key_norm", "value_norm", "received", "random", "oracle"})
        QTest::newRow(signal) << signal << false;
    QTest::newRow("key_norm per text") << "key_norm" << true;
}

void tst_SignalScores::scores_areThoseTheRouterRankedBy() {
    QFETCH(QString, signal);
    QFETCH(bool, perText);
    test::TinyOptions options;
    options.policy.routed.signal = signal.toStdString();
    options.policy.routed.choice = perText ? Choice::Sequence : Choice::Query;
    const auto snapshot = test::tinySnapshot(options);
    const auto& layer = *snapshot->full->layers[1];
    const RouteInput input{1,         layer.q.view(),       layer.k.view(), layer.v.view(),
                           layer.lse, snapshot->facts.get()};
    WorkContext work;
    work.threads = 1;
    const LayerRouting& routing = *snapshot->visible->plan->routing;
    int chosen = 0, candidates = 0;
    for (const std::size_t query : {std::size_t{0}, std::size_t{20}, std::size_t{63}}) {
        const auto scores = signalScores(options.policy, snapshot->model->shape, input, 3, query, work);
        QVERIFY2(scores.has_value(), scores ? "" : scores.error().message.c_str());
        QCOMPARE(scores->size(), query + 1);
        for (std::size_t key = 0; key <= query; ++key) {
            const bool readAnyway = query - key < 12 || key < 2;
            QCOMPARE(std::isnan((*scores)[key]), readAnyway);
            candidates += readAnyway ? 0 : 1;
        }
        const RoutedChoices& choices = *routing.choicesOf(3);
        const auto row = choices.row(query);
        const auto keys = choices.chosenKeys(query);
        for (std::size_t n = 0; n < row.size(); ++n) {
            const ChosenKey& chosenKey = keys[n];
            QCOMPARE(chosenKey.key, row[n]);
            QCOMPARE((*scores)[row[n]], chosenKey.score);
            if (perText)
                continue; // ranked among the tokens before it, not before the query
            int rank = 1;
            for (std::size_t key = 0; key <= query; ++key)
                rank += (*scores)[key] > (*scores)[row[n]] ||
                                (key > row[n] && (*scores)[key] == (*scores)[row[n]])
                            ? 1
                            : 0;
            QCOMPARE(rank, static_cast<int>(chosenKey.rank));
            ++chosen;
        }
    }
    QVERIFY(candidates > 40);
    QVERIFY(perText || chosen == 8); // 4 of each query that has candidates
}

void tst_SignalScores::querySignal_isRefused() {
    test::TinyOptions options;
    const auto snapshot = test::tinySnapshot(options);
    const auto& layer = *snapshot->full->layers[1];
    const RouteInput input{1,         layer.q.view(),       layer.k.view(), layer.v.view(),
                           layer.lse, snapshot->facts.get()};
    AttentionPolicy policy = options.policy;
    policy.routed.signal = "query_peak";
    const auto scores = signalScores(policy, snapshot->model->shape, input, 0, 30, {});
    QVERIFY(!scores.has_value());
    QCOMPARE(scores.error().code, ErrorCode::BadValue);
    QVERIFY(scores.error().message.find("query_peak") != std::string::npos);
}

QTEST_APPLESS_MAIN(tst_SignalScores)
#include "tst_SignalScores.moc"
