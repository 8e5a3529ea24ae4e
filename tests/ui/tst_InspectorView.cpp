#include "core/measure/AttentionColumn.h"
#include "tests/support/ViewFixture.h"
#include "ui/plot/MapFacts.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include "ui/views/InspectorModels.h"
#include "ui/views/InspectorView.h"
#include <QAbstractItemModelTester>
#include <QApplication>
#include <QLabel>
#include <QTableView>
#include <QtTest>
#include <algorithm>

using namespace fovea;
using namespace fovea::ui;
using test::TextOptions;
using test::ViewFixture;

namespace {

struct Shown {
    ViewFixture fixture;
    InspectorView view;

    explicit Shown(TextOptions options = {}, std::function<void(Snapshot&)> edit = {})
        : fixture(std::move(options), std::move(edit)), view(fixture.context()) {
        view.resize(300, 700);
        view.show();
        if (!fixture.run())
            qFatal("no snapshot");
    }
    QLabel* label(const char* name) {
        auto* found = view.findChild<QLabel*>(QLatin1String(name));
        if (!found)
            qFatal("no %s", name);
        return found;
    }
    QTableView* table(const char* name) {
        auto* found = view.findChild<QTableView*>(QLatin1String(name));
        if (!found)
            qFatal("no %s", name);
        return found;
    }
    QString cell(const char* name, int row, int column) {
        return table(name)->model()->index(row, column).data().toString();
    }
    int last() const { return static_cast<int>(fixture.runs.snapshot()->tokens->size()) - 1; }
    bool shows(int token) { return label("inspector.token")->text().startsWith(QString("#%1 ").arg(token)); }
};

} // namespace

class tst_InspectorView : public QObject {
    Q_OBJECT
private slots:
    void init() {
        QApplication::setStyle(QStringLiteral("Fusion"));
        Theme::apply(Theme::light());
    }
    void nothingPinned_saysWhatToDo();
    void reads_areTheRowLargestFirst();
    void readBy_isTheColumn();
    void why_namesEachReason();
    void why_countsLayersAndHeads();
    void demotion_countsPairs();
    void pair_isTakenApart();
    void block_isSummed();
    void clickOnARead_pinsThePair();
    void hover_isInSecondInk();
    void oneToken_fits();
    void withoutPlan_hasNoHybrid();
    void layerNotThere_saysSo();
    void models_obeyTheRules();
    void numbers_haveThreeDigits_data();
    void numbers_haveThreeDigits();
    void nothingIsClippedAtTheSmallestSize();
};

void tst_InspectorView::nothingPinned_saysWhatToDo() {
    Shown s;
    QTRY_VERIFY(s.label("inspector.empty")->text().startsWith("Pin a token: click a word."));
    QVERIFY(s.label("inspector.empty")->isVisible());
}

void tst_InspectorView::reads_areTheRowLargestFirst() {
    Shown s;
    const int query = s.last();
    s.fixture.selection.pin(query);
    QTRY_VERIFY(s.shows(query));
    const SnapshotPtr snapshot = s.fixture.runs.snapshot();
    const AttentionRow row = makeRow(1, static_cast<std::size_t>(query), *snapshot->tileSource(1));
    std::vector<float> sorted = row.full;
    std::sort(sorted.rbegin(), sorted.rend());
    const QAbstractItemModel* model = s.table("inspector.reads")->model();
    QVERIFY(model->rowCount() >= 5);
    for (int r = 0; r < model->rowCount(); ++r) {
        const QString token = s.cell("inspector.reads", r, ReadsModel::TokenColumn);
        const auto key = token.mid(1, token.indexOf(' ') - 1).toUInt();
        QCOMPARE(row.full[key], sorted[static_cast<std::size_t>(r)]);
        QCOMPARE(s.cell("inspector.reads", r, ReadsModel::FullColumn),
                 threeDigits(static_cast<double>(row.full[key])));
        QCOMPARE(s.cell("inspector.reads", r, ReadsModel::HybridColumn),
                 threeDigits(static_cast<double>(row.hybrid[key])));
    }
    std::size_t kept = 0;
    double mass = 0;
    for (std::size_t j = 0; j < row.full.size(); ++j)
        if (row.reason[j] != Reason::Skipped) {
            ++kept;
            mass += static_cast<double>(row.full[j]);
        }
    QVERIFY2(s.label("inspector.summary")
                 ->text()
                 .contains(QString("reads %1 of %2 keys, kept mass %3")
                               .arg(kept)
                               .arg(row.full.size())
                               .arg(threeDigits(mass))),
             qPrintable(s.label("inspector.summary")->text()));
}

void tst_InspectorView::readBy_isTheColumn() {
    Shown s;
    s.fixture.selection.pin(4);
    QTRY_VERIFY(s.shows(4));
    const SnapshotPtr snapshot = s.fixture.runs.snapshot();
    const AttentionColumn column = makeColumn(1, 4, *snapshot->tileSource(1));
    std::size_t readers = 0;
    for (std::size_t query = 4; query < snapshot->tokens->size(); ++query) {
        const AttentionRow row = makeRow(1, query, *snapshot->tileSource(1));
        QCOMPARE(column.full[query - 4], row.full[4]); // the column is the rows' transpose
        QCOMPARE(column.hybrid[query - 4], row.hybrid[4]);
        QCOMPARE(column.reason[query - 4], row.reason[4]);
        readers += row.reason[4] != Reason::Skipped ? 1 : 0;
    }
    QCOMPARE(s.label("inspector.readby.title")->text(),
             QString("Read by %1 of %2 queries").arg(readers).arg(snapshot->tokens->size() - 4));
    const float most = *std::max_element(column.full.begin(), column.full.end());
    QCOMPARE(s.cell("inspector.readby", 0, ReadsModel::FullColumn), threeDigits(static_cast<double>(most)));
}

void tst_InspectorView::why_namesEachReason() {
    Shown s;
    const SnapshotPtr snapshot = s.fixture.runs.snapshot();
    InspectorWish wish{1, 1, s.last(), {}, {}};
    const InspectorReport report = makeInspectorReport(wish, snapshot, nullptr, 1000);
    const RoutedChoices& choices = *snapshot->visible->plan->routing->choicesOf(1);
    const auto chosen = choices.row(static_cast<std::size_t>(s.last()));
    int sinks = 0, local = 0, routed = 0, lost = 0;
    std::set<int> ranks;
    for (const ReadLine& line : report.token->reads) {
        const auto key = static_cast<std::uint32_t>(line.key);
        const QString why = shortReason(line.kind, line.router);
        if (line.key < 2) {
            QCOMPARE(why, QString("sink"));
            ++sinks;
        } else if (s.last() - static_cast<int>(line.key) < 12) {
            QCOMPARE(why, QString("local"));
            ++local;
        } else if (std::binary_search(chosen.begin(), chosen.end(), key)) {
            QVERIFY2(why.startsWith("routed, ") && why.endsWith("/4"), qPrintable(why));
            ++routed;
        } else {
            QVERIFY2(why.startsWith("not routed, "), qPrintable(why));
            ranks.insert(why.mid(12).toInt());
            ++lost;
        }
    }
    QCOMPARE(sinks, 2);
    QCOMPARE(local, 12);
    QCOMPARE(routed, 4);
    QCOMPARE(static_cast<int>(ranks.size()), lost); // ranks 5, 6, ... each once
    QCOMPARE(*ranks.begin(), 5);
    QCOMPARE(*ranks.rbegin(), 4 + lost);
}

void tst_InspectorView::why_countsLayersAndHeads() {
    Shown s;
    const SnapshotPtr snapshot = s.fixture.runs.snapshot();
    const RoutingRecord& record = *snapshot->propagated->routing;
    QVERIFY(!record.rows.empty());
    const int token = static_cast<int>(record.rows.front().token);
    int heads = 0;
    for (const RoutingRow& row : record.rows)
        if (static_cast<int>(row.token) == token)
            heads += row.headGroup >= 0 ? 2 : 1;
    s.fixture.selection.pin(token);
    QTRY_VERIFY(s.shows(token));
    QCOMPARE(s.label("inspector.why.title")->text(), QString("Routed in 1 of 3 layers by key_norm"));
    QCOMPARE(s.cell("inspector.why", 0, WhyModel::LayerColumn), QString("L1"));
    QCOMPARE(s.cell("inspector.why", 0, WhyModel::HeadsColumn), QString("%1 of 4").arg(heads));
}

void tst_InspectorView::demotion_countsPairs() {
    Shown s;
    const SnapshotPtr snapshot = s.fixture.runs.snapshot();
    const int token = static_cast<int>(snapshot->propagated->routing->rows.front().token);
    int routed = 0, skipped = 0;
    for (std::size_t query = static_cast<std::size_t>(token); query < snapshot->tokens->size(); ++query) {
        const Reason reason =
            makeRow(1, query, *snapshot->tileSource(1)).reason[static_cast<std::size_t>(token)];
        routed += reason == Reason::Routed ? 1 : 0;
        skipped += reason == Reason::Skipped ? 1 : 0;
    }
    s.fixture.selection.pin(token);
    QTRY_VERIFY(s.shows(token));
    const QString text = s.label("inspector.demotion")->text();
    QCOMPARE(text.contains(QString("demoted as key: -%1 pairs in L1 H1, counted").arg(routed)), routed > 0);
    QCOMPARE(text.contains(QString("promoted as key: +%1 pairs in L1 H1, counted").arg(skipped)),
             skipped > 0);
    QVERIFY(routed + skipped > 0);
}

void tst_InspectorView::pair_isTakenApart() {
    Shown s;
    const SnapshotPtr snapshot = s.fixture.runs.snapshot();
    const int query = s.last();
    s.fixture.selection.pinPair({query, 0});
    QTRY_VERIFY(s.label("inspector.pair")->isVisible());
    const QString text = s.label("inspector.pair")->text();
    Matrix score(1, 1);
    logitTile(snapshot->attentionInput(1), 1, static_cast<std::size_t>(query), 0, score.view(),
              Isa::Portable);
    const AttentionRow row = makeRow(1, static_cast<std::size_t>(query), *snapshot->tileSource(1));
    const auto rank =
        1 + std::count_if(row.full.begin(), row.full.end(), [&](float p) { return p > row.full[0]; });
    QVERIFY2(
        text.contains(
            QString("score %1 (q.k times 0.250)").arg(threeDigits(static_cast<double>(score.view()(0, 0))))),
        qPrintable(text));
    QVERIFY2(text.contains(
                 QString("full %1 (rank %2)").arg(threeDigits(static_cast<double>(row.full[0]))).arg(rank)),
             qPrintable(text));
    QVERIFY2(text.contains(QString("distance %1").arg(query)), qPrintable(text));
    // What it comes to is said first, in one sentence.
    const QString sentence = s.label("inspector.sentence")->text();
    QVERIFY2(sentence.startsWith(QString("#%1 ").arg(query)) && sentence.contains(" reads #0 ") &&
                 sentence.endsWith(QString(", %1 back: always: sink.").arg(query)),
             qPrintable(sentence));
    s.fixture.selection.hoverPair({3, 7}); // the map's upper half
    QTRY_VERIFY2(s.label("inspector.sentence")->text().contains("comes after"),
                 qPrintable(s.label("inspector.sentence")->text()));
    QVERIFY(!s.label("inspector.pair")->isVisible());
}

void tst_InspectorView::block_isSummed() {
    Shown s;
    const SnapshotPtr snapshot = s.fixture.runs.snapshot();
    const int last = s.last();
    s.fixture.selection.setBlock({last - 3, last + 1, 0, 3});
    const auto shown = [&] { return s.label("inspector.sentence")->text(); };
    double mass = 0;
    for (int query = last - 3; query <= last; ++query) {
        const AttentionRow row = makeRow(1, static_cast<std::size_t>(query), *snapshot->tileSource(1));
        for (std::size_t key = 0; key < 3; ++key)
            mass += static_cast<double>(row.full[key]) / 4;
    }
    QTRY_VERIFY2(shown().contains(
                     QString("%1 % of their attention from keys #0\u2013#2").arg(threeDigits(100 * mass))),
                 qPrintable(shown()));
    QVERIFY2(shown().contains("of 12 pairs kept"), qPrintable(shown()));
    QVERIFY(s.fixture.selection.clearOneLevel()); // Esc
    QVERIFY(!s.fixture.selection.block().valid());
}

void tst_InspectorView::clickOnARead_pinsThePair() {
    Shown s;
    s.fixture.selection.pin(s.last());
    QTRY_VERIFY(s.shows(s.last()));
    QTableView* table = s.table("inspector.reads");
    const QString second = s.cell("inspector.reads", 1, ReadsModel::TokenColumn);
    QTest::mouseClick(table->viewport(), Qt::LeftButton, {},
                      table->visualRect(table->model()->index(1, 0)).center());
    QCOMPARE(s.fixture.selection.query(), s.last());
    QCOMPARE(s.fixture.selection.pinnedPair().key, second.mid(1, second.indexOf(' ') - 1).toInt());
}

void tst_InspectorView::hover_isInSecondInk() {
    Shown s;
    s.fixture.selection.pin(5);
    QTRY_VERIFY(s.shows(5));
    QCOMPARE(s.label("inspector.token")->palette().color(QPalette::WindowText), Theme::current().ink);
    s.fixture.selection.hover(9);
    QTRY_VERIFY(s.shows(9));
    QCOMPARE(s.label("inspector.token")->palette().color(QPalette::WindowText), Theme::current().ink2);
    s.fixture.selection.hover(-1);
    QTRY_VERIFY(s.shows(5));
    QCOMPARE(s.label("inspector.token")->palette().color(QPalette::WindowText), Theme::current().ink);
}

void tst_InspectorView::oneToken_fits() {
    TextOptions options;
    options.text = "The";
    Shown s(options);
    s.fixture.selection.pin(0);
    QTRY_VERIFY(s.shows(0));
    QCOMPARE(s.table("inspector.reads")->model()->rowCount(), 1);
    QCOMPARE(s.cell("inspector.reads", 0, ReadsModel::FullColumn), QString("1.00"));
}

void tst_InspectorView::withoutPlan_hasNoHybrid() {
    TextOptions options;
    options.tiny.hybrid = false;
    Shown s(options);
    s.fixture.selection.pin(6);
    QTRY_VERIFY(s.shows(6));
    QCOMPARE(s.cell("inspector.reads", 0, ReadsModel::WhyColumn), QString("not run yet"));
    QCOMPARE(s.cell("inspector.reads", 0, ReadsModel::HybridColumn), QString::fromUtf8("\u2013"));
    QVERIFY(s.label("inspector.why.title")->text().contains("comes with the propagated run"));
}

void tst_InspectorView::layerNotThere_saysSo() {
    TextOptions options;
    options.tiny.layersDone = 1;
    Shown s(options);
    s.fixture.selection.pin(6);
    QTRY_VERIFY2(s.label("inspector.summary")->text().contains("Layer 1 is not computed yet."),
                 qPrintable(s.label("inspector.summary")->text()));
    QCOMPARE(s.table("inspector.reads")->model()->rowCount(), 0);
}

void tst_InspectorView::models_obeyTheRules() {
    Shown s;
    ReadsModel reads(ReadsModel::Side::Reads);
    WhyModel why;
    const QAbstractItemModelTester readsTester(&reads,
                                               QAbstractItemModelTester::FailureReportingMode::QtTest);
    const QAbstractItemModelTester whyTester(&why, QAbstractItemModelTester::FailureReportingMode::QtTest);
    const SnapshotPtr snapshot = s.fixture.runs.snapshot();
    for (const int token : {s.last(), 0, 3}) {
        auto report = std::make_shared<const InspectorReport>(
            makeInspectorReport({1, 1, token, {}, {}}, snapshot, nullptr));
        reads.show(report, snapshot->tokens);
        why.show(report);
        QCOMPARE(reads.rowCount(), static_cast<int>(report->token->reads.size()));
    }
}

void tst_InspectorView::numbers_haveThreeDigits_data() {
    QTest::addColumn<double>("value");
    QTest::addColumn<QString>("text");
    QTest::newRow("0") << 0.0 << "0";
    QTest::newRow("1e-4F") << static_cast<double>(1e-4F) << "0.000100";
    QTest::newRow("rounds up") << 0.09996 << "0.100";
    QTest::newRow("small") << 1.4159e-5 << "1.42e-05";
    QTest::newRow("plain") << 3.14159 << "3.14";
    QTest::newRow("hundreds") << 123.6 << "124";
    QTest::newRow("negative") << -0.98765 << "-0.988";
    QTest::newRow("thousands") << 54321.0 << "54300";
}

void tst_InspectorView::numbers_haveThreeDigits() {
    QFETCH(double, value);
    QFETCH(QString, text);
    QCOMPARE(threeDigits(value), text);
}

void tst_InspectorView::nothingIsClippedAtTheSmallestSize() {
    Shown s;
    s.view.resize(240, 160);
    s.fixture.selection.pinPair({s.last(), 0});
    QTRY_VERIFY(s.label("inspector.pair")->isVisible());
    QCOMPARE(s.view.width(), 240);
    for (QLabel* label : s.view.findChildren<QLabel*>())
        if (label->isVisible() && label->wordWrap())
            QVERIFY2(label->height() >= label->heightForWidth(label->width()),
                     qPrintable(label->objectName()));
}

QTEST_MAIN(tst_InspectorView)
#include "tst_InspectorView.moc"
