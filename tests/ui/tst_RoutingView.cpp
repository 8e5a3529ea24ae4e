#include "tests/support/TinySnapshot.h"
#include "ui/models/RoutingTableModel.h"
#include "ui/plot/Theme.h"
#include "ui/views/RoutingView.h"
#include <QAbstractItemModelTester>
#include <QCheckBox>
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

    void theTableIsOfTheTextThatTheLanesAreOf() {
        const auto first = routedSnapshot("group_dot");
        Window w(first);
        auto* table = w.find<QTableView>("routing.table");
        auto* lanes = w.find<RoutingLanes>("routing.lanes");
        QTRY_VERIFY(table->model()->rowCount() > 0 && lanes->hasLanes());
        test::TinyOptions options;
        options.policy = routedPolicy("group_dot");
        options.tokens = 40;
        options.seed = 7;
        options.generation = 9;
        w.runs.adopt(test::tinySnapshot(options)); // another text, whose propagated run is under way
        QCOMPARE(table->model()->rowCount(), 0);
        QTRY_VERIFY(lanes->hasLanes());
        QCOMPARE(lanes->tokenAt(lanes->xOf(39) + 1), 39); // of the new text's 40 tokens
    }

    void tabLeavesTheTable() {
        const auto snapshot = routedSnapshot("group_dot");
        Window w(snapshot);
        auto* table = w.find<QTableView>("routing.table");
        QTRY_VERIFY(table->model()->rowCount() > 1);
        w.find<QLineEdit>("routing.find")->setFocus(Qt::TabFocusReason);
        table->setFocus(Qt::TabFocusReason);
        QCOMPARE(w.selection.query(), -1); // the focus pins nothing
        QTest::keyClick(table, Qt::Key_Tab);
        QVERIFY(!table->hasFocus());
        QCOMPARE(w.selection.query(), -1);
        table->setFocus(Qt::TabFocusReason);
        QTest::keyClick(table, Qt::Key_Down);
        QVERIFY(w.selection.query() >= 0); // an arrow key chooses a row
    }

    void aRowMayResetItsModel() {
        // Whoever hears of the new cell may bring a snapshot, which resets the table that the row is of.
        const auto snapshot = routedSnapshot("group_dot");
        Window w(snapshot);
        w.find<QCheckBox>("routing.thisCell")->setChecked(false);
        auto* table = w.find<QTableView>("routing.table");
        QTRY_VERIFY(table->model()->rowCount() > 0);
        const RoutingRow wanted = snapshot->propagated->routing->rows.front();
        QObject::connect(&w.selection, &SelectionModel::cellChanged, &w.view, [&w] {
            test::TinyOptions options;
            options.tokens = 20;
            w.runs.adopt(test::tinySnapshot(options));
        });
        w.selection.setCell(2, 3); // so that the row brings another cell
        w.runs.adopt(snapshot);
        QTRY_VERIFY(table->model()->rowCount() > 0);
        int row = 0;
        while (table->model()
                   ->index(row, RoutingTableModel::Token)
                   .data(RoutingTableModel::kSortRole)
                   .toUInt() != wanted.token)
            ++row;
        table->selectRow(row);
        QCOMPARE(w.selection.query(), static_cast<int>(wanted.token));
    }

    void whileTheModelLoads_routedIsNotDenied() {
        // Routed is on, but no layer is there yet.
        RequestModel requests(*routedSnapshot("group_dot")->request);
        SelectionModel selection;
        RunController runs(requests, selection);
        RoutingView view(ViewContext{runs, requests, selection});
        view.resize(900, 220);
        view.show();
        auto* lanes = view.findChild<RoutingLanes*>(QStringLiteral("routing.lanes"));
        auto* header = view.findChild<QLabel*>(QStringLiteral("routing.header"));
        QVERIFY2(!lanes->sentence().contains(QStringLiteral("Nothing is routed")),
                 qPrintable(lanes->sentence()));
        QVERIFY(lanes->sentence().contains(QStringLiteral("waits for")));
        QCOMPARE(header->text(), lanes->sentence()); // one place makes the answer
    }

    void aFullHeadHasNoRouter() {
        test::TinyOptions options;
        options.policy = routedPolicy("group_dot");
        options.policy.mix.fullLayers = {1};
        const auto snapshot = test::tinySnapshot(options);
        const auto lanes = RoutingView::laneData(*snapshot, 1, 0, -1);
        QVERIFY(lanes && lanes->empty == RoutingLaneData::Empty::FullHead);
        Window w(snapshot);
        QTRY_VERIFY2(
            w.find<QLabel>("routing.header")->text().contains(QStringLiteral("L1 H0 reads every key")),
            qPrintable(w.find<QLabel>("routing.header")->text()));
        QCOMPARE(w.find<RoutingLanes>("routing.lanes")->sentence(), w.find<QLabel>("routing.header")->text());
    }

    void aNewerQuestionStopsTheOlder() {
        const auto snapshot = routedSnapshot("group_dot");
        WorkContext stopped;
        stopped.cancel.cancel();
        QVERIFY(!RoutingView::laneData(*snapshot, 1, 0, -1, stopped));
        Window w(snapshot);
        for (int token = 10; token < 50; ++token)
            w.selection.pin(token);
        auto* header = w.find<QLabel>("routing.header");
        QTRY_VERIFY2(header->text().contains(QStringLiteral("query #49")), qPrintable(header->text()));
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
