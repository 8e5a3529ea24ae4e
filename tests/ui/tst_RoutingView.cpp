#include "tests/support/TinySnapshot.h"
#include "ui/models/RoutingTableModel.h"
#include "ui/plot/Theme.h"
#include "ui/views/RoutingView.h"
#include <QAbstractItemModelTester>
#include <QLabel>
#include <QLineEdit>
#include <QTableView>
#include <QTest>
#include <cmath>

using namespace fovea;
using namespace fovea::ui;

namespace {

AttentionPolicy routedPolicy(const char* signal) {
    AttentionPolicy policy;
    policy.local.window = 8;
    policy.always.sinks = 2;
    policy.routed.signal = signal;
    policy.routed.budget = 4;
    return policy;
}

std::shared_ptr<Snapshot> routedSnapshot(const char* signal) {
    test::TinyOptions options;
    options.policy = routedPolicy(signal);
    std::shared_ptr<Snapshot> snapshot = test::tinySnapshot(options);
    auto record = std::make_shared<RoutingRecord>();
    if (snapshot->visible->plan->routing)
        appendRouting(*record, *snapshot->visible->plan->routing, snapshot->model->shape);
    auto propagated = std::make_shared<PropagatedResult>();
    propagated->routing = std::move(record);
    snapshot->propagated = std::move(propagated);
    return snapshot;
}

struct Window {
    RequestModel requests;
    SelectionModel selection;
    RunController runs{requests, selection};
    RoutingView view{ViewContext{runs, requests, selection}};

    explicit Window(const SnapshotPtr& snapshot) : requests(*snapshot->request) {
        view.resize(900, 220);
        view.show();
        selection.setCell(snapshot->visible->layer, 0);
        runs.adopt(snapshot);
    }
    template <class T>
    T* find(const char* name) {
        return view.findChild<T*>(QLatin1String(name));
    }
};

} // namespace

class tst_RoutingView : public QObject {
    Q_OBJECT
private slots:
    void init() { Theme::apply(Theme::light()); }

    void lanesAgreeWithThePlan() {
        const auto snapshot = routedSnapshot("group_dot");
        const int layer = snapshot->visible->layer;
        const int query = static_cast<int>(snapshot->tokens->size()) - 1;
        const auto lanes = RoutingView::laneData(*snapshot, layer, 0, query);
        QCOMPARE(lanes->tokens, snapshot->tokens->size());
        std::vector<std::uint8_t> routed(lanes->tokens, 0);
        for (const KeptKey& key : snapshot->visible->plan->keptKeys(0, static_cast<std::size_t>(query))) {
            routed[key.key] = key.reason == Reason::Routed;
            // Local and always keys are no candidates, so they have no score; every routed key has one above
            // the bar.
            QCOMPARE(std::isfinite(lanes->score[key.key]), key.reason == Reason::Routed);
            if (key.reason == Reason::Routed)
                QVERIFY(lanes->score[key.key] >= lanes->threshold);
        }
        QCOMPARE(lanes->routed, routed);
        QCOMPARE(std::count(lanes->oracle.begin(), lanes->oracle.end(), 1), 4);
        std::vector<std::uint32_t> uses(lanes->tokens, 0);
        for (std::size_t q = 0; q < lanes->tokens; ++q)
            for (const KeptKey& key : snapshot->visible->plan->keptKeys(0, q))
                uses[key.key] += key.reason == Reason::Routed ? 1U : 0U;
        QCOMPARE(lanes->keyUses, uses);
    }

    void theOracleAgreesWithItself() {
        const auto snapshot = routedSnapshot("oracle");
        const auto lanes = RoutingView::laneData(*snapshot, snapshot->visible->layer, 1, -1);
        QCOMPARE(lanes->oracleHits, 1.0);
        QVERIFY(lanes->randomHits < 1.0);
    }

    void tableShowsTheRecordAndChoosesItsToken() {
        const auto snapshot = routedSnapshot("group_dot");
        Window w(snapshot);
        auto* table = w.find<QTableView>("routing.table");
        const QAbstractItemModelTester tester(table->model(),
                                              QAbstractItemModelTester::FailureReportingMode::QtTest);
        const int group = static_cast<int>(std::count_if(
            snapshot->propagated->routing->rows.begin(), snapshot->propagated->routing->rows.end(),
            [](const RoutingRow& row) { return row.headGroup == 0; }));
        QTRY_COMPARE(table->model()->rowCount(), group); // this layer and head
        const QModelIndex first = table->model()->index(0, RoutingTableModel::Token);
        table->scrollTo(first);
        QTest::mouseClick(table->viewport(), Qt::LeftButton, {}, table->visualRect(first).center());
        QCOMPARE(w.selection.query(), first.data(RoutingTableModel::kSortRole).toInt());
        QTest::keyClicks(w.find<QLineEdit>("routing.find"), QStringLiteral("#%1").arg(w.selection.query()));
        QTRY_COMPARE(table->model()->rowCount(), 1);
    }

    void aQuestionIsAskedOnce() {
        const auto snapshot = routedSnapshot("group_dot");
        Window w(snapshot);
        QTRY_VERIFY(w.find<QLabel>("routing.header")->text().contains(QStringLiteral("The oracle makes")));
        const std::uint64_t before = w.view.asked();
        for (int n = 0; n < 5; ++n) // as a run does under way
            w.runs.adopt(std::make_shared<Snapshot>(*snapshot));
        QCOMPARE(w.view.asked(), before);
        w.selection.pin(20);
        QCOMPARE(w.view.asked(), before + 1);
        auto next = std::make_shared<Snapshot>(*snapshot);
        next->propagated = std::make_shared<PropagatedResult>(*snapshot->propagated);
        w.runs.adopt(next);
        QCOMPARE(w.view.asked(), before + 2);
        auto other = std::make_shared<Snapshot>(*next);
        auto request = std::make_shared<Request>(*next->request);
        request->policy.routed.budget = 5;
        other->request = request;
        w.runs.adopt(other);
        QCOMPARE(w.view.asked(), before + 3);
    }

    void aLookAheadSignalSaysSo() {
        Window causal(routedSnapshot("group_dot"));
        QVERIFY(!causal.find<QLabel>("routing.badge")->isVisible());
        Window ahead(routedSnapshot("received"));
        QVERIFY(ahead.find<QLabel>("routing.badge")->isVisible());
    }

    void nothingRoutedIsSaid() {
        test::TinyOptions options;
        options.policy.local.window = 8;
        options.policy.routed.signal.clear();
        Window w(test::tinySnapshot(options));
        QVERIFY(w.find<QLabel>("routing.header")->text().contains(QStringLiteral("Nothing is routed")));
        QVERIFY(!w.view.grab().isNull());
    }
};

QTEST_MAIN(tst_RoutingView)
#include "tst_RoutingView.moc"
