#include "tests/support/MapWindow.h"
#include "tests/support/TextSnapshot.h"
#include "ui/models/MapTableModel.h"
#include "ui/views/MapTable.h"
#include <QApplication>
#include <QClipboard>
#include <QTableView>
#include <QTest>
#include <cmath>

using namespace fovea;
using namespace fovea::ui;

namespace {

/// The map and its table, side by side.
struct Both : test::MapWindow {
    MapTable panel;
    explicit Both(SnapshotPtr snapshot)
        : test::MapWindow(std::move(snapshot)), panel(ViewContext{runs, requests, selection}, view) {
        panel.resize(700, 400);
        panel.show();
    }
    [[nodiscard]] QTableView* table() { return panel.findChild<QTableView*>(QStringLiteral("map.table")); }
    [[nodiscard]] int rows() { return table()->model()->rowCount(); }
    [[nodiscard]] QVariant at(int row, int column, int role = Qt::DisplayRole) {
        return table()->model()->index(row, column).data(role);
    }
    /// The token or cell range that a row begins with: "#3", "#3–#6".
    [[nodiscard]] QString name(int row, int column) {
        return at(row, column).toString().section(QLatin1Char(' '), 0, 0);
    }
    [[nodiscard]] int token(int row, int column) { return name(row, column).mid(1).toInt(); }
    [[nodiscard]] bool isOld() { return at(0, 0, Qt::ForegroundRole).isValid(); }
    [[nodiscard]] bool focusTable() {
        panel.activateWindow();
        table()->setFocus();
        return QTest::qWaitFor([this] { return table()->hasFocus(); });
    }
};

SnapshotPtr shortSnapshot() {
    test::TinyOptions options;
    options.tokens = 24;
    return test::tinySnapshot(options);
}

} // namespace

class tst_MapTable : public QObject {
    Q_OBJECT
private slots:
    void init() { Theme::apply(Theme::light()); }

    /// Every painted cell has the colour of the number in its row.
    void rowsAreWhatIsPainted() {
        Both w(shortSnapshot());
        QTRY_COMPARE(w.rows(), 24 * 25 / 2);
        QTRY_VERIFY(w.settled());
        const Ramp& ramp = Ramp::weights(Theme::light());
        const MapScale scale(ScaleKind::Log);
        const QImage image = w.canvas().grab().toImage();
        const double quarter = w.canvas().viewport().cell / 4;
        int read = 0;
        for (int row = 0; row < w.rows(); ++row) {
            const bool reads = !w.at(row, MapTableModel::Why).toString().startsWith(QStringLiteral("not "));
            const double weight = w.at(row, MapTableModel::ArmB, MapTableModel::kSortRole).toDouble();
            QCOMPARE(weight > 0, reads);
            if (!reads || weight < 0.0001)
                continue;
            ++read;
            const QPointF p = w.canvas().cellCentre(
                                  {w.token(row, MapTableModel::Query), w.token(row, MapTableModel::Key)}) -
                              QPointF(quarter, quarter);
            const QRgb pixel = image.pixel(p.toPoint());
            const int index = scale.index(static_cast<float>(weight));
            bool near = false;
            for (int i = std::max(0, index - 1); i <= std::min(255, index + 1); ++i)
                near = near || pixel == ramp.table()[static_cast<std::size_t>(i)];
            QVERIFY2(near, qPrintable(w.name(row, 0) + QLatin1Char(' ') + w.name(row, 1)));
        }
        QVERIFY(read > 100);
    }

    /// Cells of words name their tokens; several pairs have no one reason.
    void wordsAreRanges() {
        const auto snapshot = test::textSnapshot();
        Both w(snapshot);
        w.canvas().setFocus();
        w.key(Qt::Key_G);
        const auto words = static_cast<int>(groupTokens(*snapshot->tokens, TextUnit::Word).size());
        QTRY_COMPARE(w.rows(), std::min(words * (words + 1) / 2, static_cast<int>(MapTable::kMost)));
        QVERIFY(w.table()->isColumnHidden(MapTableModel::Why));
        bool range = false;
        for (int row = 0; row < w.rows(); ++row)
            range = range || w.name(row, MapTableModel::Query).contains(QChar(0x2013));
        QVERIFY(range);
    }

    void whatIsLeftOutHasNoRow() {
        Both w(shortSnapshot());
        w.canvas().setFocus();
        w.key(Qt::Key_I);
        w.key(Qt::Key_I); // the two sinks are left out as keys
        QTRY_COMPARE(w.rows(), 24 * 25 / 2 - 24 - 23);
        for (int row = 0; row < w.rows(); ++row)
            QVERIFY(w.token(row, MapTableModel::Key) >= 2);
    }

    /// Rows of another head are old until those of the present one are there.
    void anotherHead_isOldUntilItIsRead() {
        Both w(shortSnapshot());
        QTRY_VERIFY(w.rows() > 0);
        QTRY_VERIFY(!w.isOld());
        const QString before = w.at(1, MapTableModel::ArmB).toString();
        w.selection.setCell(1, 2);
        QVERIFY(w.isOld());
        QTRY_VERIFY(!w.isOld());
        QVERIFY(w.at(1, MapTableModel::ArmB).toString() != before);
        QVERIFY(w.table()->accessibleName().contains(QStringLiteral("L1 H2")));
    }

    /// Snapshots of a run share what the map is made from: the rows and what is chosen among them stay.
    void anotherSnapshotOfTheSameParts_changesNothing() {
        const SnapshotPtr snapshot = shortSnapshot();
        Both w(snapshot);
        QTRY_VERIFY(w.rows() > 0);
        auto next = std::make_shared<Snapshot>(*snapshot);
        ++next->generation;
        w.runs.adopt(next);
        QCOMPARE(w.view.shownSnapshot(), SnapshotPtr(next));
        QVERIFY(!w.isOld());
    }

    /// Pooling is about pixels: while its tiles are made the numbers are as right as before.
    void tilesUnderWay_makeNoNumberOld() {
        Both w(shortSnapshot());
        QTRY_VERIFY(w.rows() > 0);
        QTRY_VERIFY(w.settled());
        w.view.setPooling(w.view.exportOptions().pooling == Pooling::Mass ? Pooling::Max : Pooling::Mass);
        QVERIFY(!w.settled());
        QVERIFY(!w.isOld());
    }

    /// What is asked is given up when the panel closes, and asked again when it opens.
    void closed_asksForNothing() {
        Both w(shortSnapshot());
        w.panel.hide();
        bool answered = false;
        w.runs.fetch<int>(
            &w.panel, {"test", Urgency::Background}, [](const WorkContext&) { return Result<int>(1); },
            [&](const Result<int>&) { answered = true; });
        QTRY_VERIFY(answered);
        QCOMPARE(w.rows(), 0);
        w.panel.show();
        QTRY_VERIFY(w.rows() > 0);
        w.selection.setCell(1, 2);
        for (int times = 0; times < 2; ++times) { // the same question, after its first asking was given up
            w.panel.hide();
            w.panel.show();
        }
        QTRY_VERIFY(!w.isOld());
    }

    /// The focus alone pins nothing; a chosen row pins its cell.
    void aChosenRow_pinsItsCell() {
        Both w(shortSnapshot());
        QTRY_VERIFY(w.rows() > 2);
        QVERIFY(w.focusTable());
        QVERIFY(!w.selection.pinnedPair().valid());
        QTest::keyClick(w.table(), Qt::Key_Down);
        const int chosen = w.table()->currentIndex().row(); // 0 if the focus came before the rows
        QVERIFY(chosen == 0 || chosen == 1);
        const SelectionModel::Pair cell{w.token(chosen, MapTableModel::Query),
                                        w.token(chosen, MapTableModel::Key)};
        QCOMPARE(w.selection.pinnedPair(), cell);
        QTest::keyClick(w.table(), Qt::Key_Down, Qt::ShiftModifier);
        QCOMPARE(w.selection.pinnedPair(), cell); // several rows are chosen to be copied
        QTest::keyClick(w.table(), Qt::Key_C, Qt::ControlModifier);
        const QStringList lines = QApplication::clipboard()->text().split(QLatin1Char('\n'));
        QCOMPARE(lines.size(), 3);
        QCOMPARE(lines[0].section(QLatin1Char('\t'), 0, 2), QStringLiteral("query\tkey\tA"));
        for (const int row : {chosen, chosen + 1})
            QCOMPARE(lines[row - chosen + 1].section(QLatin1Char('\t'), 2, 2),
                     w.at(row, MapTableModel::ArmA, MapTableModel::kExactRole).toString());
    }

    /// Rows of tokens are no cells of a map of words, whose numbers are smaller.
    void aRowOfAnotherMap_pinsNothing() {
        Both w(test::textSnapshot());
        QTRY_VERIFY(w.rows() > 2);
        QVERIFY(w.focusTable());
        QTest::keyClick(w.table(), Qt::Key_Down);
        const SelectionModel::Pair pinned = w.selection.pinnedPair();
        QVERIFY(pinned.valid());
        w.key(Qt::Key_G);
        QVERIFY(w.isOld());
        QTest::keyClick(w.table(), Qt::Key_End, Qt::ControlModifier);
        QCOMPARE(w.selection.pinnedPair(), pinned);
    }

    void aRecurrentState_hasNoWeight() {
        auto content = std::make_shared<MapTableContent>();
        content->strong.cells = {{15, 0, 0.5, std::nan(""), {}}, {15, 1, 0.25, 0.125, {}}};
        content->cells = CellMap(nullptr, 16);
        content->labels = test::tinyTokens(16);
        MapTableModel model;
        model.show(content);
        for (const int column : {MapTableModel::ArmB, MapTableModel::Difference}) {
            QCOMPARE(model.index(0, column).data().toString(), QStringLiteral("\u2013"));
            QVERIFY(model.index(0, column).data(MapTableModel::kSortRole).toDouble() <
                    model.index(1, column).data(MapTableModel::kSortRole).toDouble());
        }
        // A token that is markup is shown as it is.
        QVERIFY(model.index(0, MapTableModel::Query).data().toString().contains(QStringLiteral("<b>")));
        QVERIFY(model.index(0, MapTableModel::Query)
                    .data(Qt::ToolTipRole)
                    .toString()
                    .contains(QStringLiteral("&lt;b&gt;")));
    }

    /// A part of the map is a part of the table.
    void onlyWhatIsInSight() {
        Both w(test::tinySnapshot());
        QTRY_COMPARE(w.rows(), static_cast<int>(MapTable::kMost));
        w.selection.pinPair({40, 20});
        w.canvas().setFocus();
        w.key(Qt::Key_F); // some 32 cells around the pair
        const RowRange queries = w.canvas().shownQueries();
        QVERIFY(queries.last - queries.first < 50);
        QTRY_VERIFY(w.rows() < static_cast<int>(MapTable::kMost));
        QTRY_VERIFY(!w.isOld());
        for (int row = 0; row < w.rows(); ++row)
            QVERIFY(static_cast<std::size_t>(w.token(row, MapTableModel::Query)) >= queries.first);
    }
};

QTEST_MAIN(tst_MapTable)
#include "tst_MapTable.moc"
