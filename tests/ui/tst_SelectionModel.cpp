#include "ui/run/SelectionModel.h"
#include <QSignalSpy>
#include <QTest>

using namespace fovea::ui;

class TestSelectionModel : public QObject {
    Q_OBJECT

private slots:
    /// What was chosen last is what is asked about: a pair takes the place of a block.
    void aPinnedPairClearsTheBlock() {
        SelectionModel s;
        s.setBlock({3, 5, 1, 2});
        s.pinPair({8, 2});
        QVERIFY(!s.block().valid());
        s.setBlock({3, 5, 1, 2});
        QVERIFY(s.pinnedPair().valid());
    }

    void headsAreChosenOneByOneAndClearedLast() {
        SelectionModel s;
        QSignalSpy changed(&s, &SelectionModel::headsChanged);
        s.toggleHead(2, 1);
        s.toggleHead(0, 3);
        s.toggleHead(2, 1);
        QCOMPARE(s.heads().size(), std::size_t{1});
        QVERIFY(s.heads().contains({0, 3}));
        s.pin(4);
        QVERIFY(s.clearOneLevel() && s.heads().size() == 1 && s.pins().empty());
        QVERIFY(s.clearOneLevel() && s.heads().empty());
        QVERIFY(!s.clearOneLevel());
        QCOMPARE(changed.size(), 4);
    }

    void aCellBeyondTheModel_waitsForOneThatHasIt() {
        SelectionModel s;
        QSignalSpy changed(&s, &SelectionModel::cellChanged);
        s.setCell(12, 5);
        QCOMPARE(changed.size(), 1);
        s.setShape(2, 2);
        QCOMPARE(s.layer(), 1);
        QCOMPARE(s.head(), 1);
        QCOMPARE(changed.size(), 2);
        s.setCell(1, 0); // chosen in this model
        s.setShape(30, 9);
        QCOMPARE(s.layer(), 1);
        s.setCell(40, -3);
        QCOMPARE(s.layer(), 29);
        QCOMPARE(s.head(), 0);
        s.setShape(60, 9);
        QCOMPARE(s.layer(), 40);
    }
    void pin_replacesTheSet() {
        SelectionModel s;
        QSignalSpy spy(&s, &SelectionModel::pinsChanged);
        s.pin(7);
        s.togglePin(9);
        QCOMPARE(s.pins(), (std::set<int>{7, 9}));
        s.pin(3);
        QCOMPARE(s.pins(), std::set<int>{3});
        QCOMPARE(s.query(), 3);
        QCOMPARE(spy.size(), 3);
        s.pin(3); // the same: nobody redraws
        QCOMPARE(spy.size(), 3);
    }

    void toggle_removesAndFallsBack() {
        SelectionModel s;
        s.togglePin(4);
        s.togglePin(8);
        QCOMPARE(s.query(), 8);
        s.togglePin(8);
        QCOMPARE(s.query(), 4);
        s.togglePin(4);
        QCOMPARE(s.query(), -1);
        QVERIFY(s.pins().empty());
    }

    void escape_goesBackOneLevelPerPress() {
        SelectionModel s;
        s.pinPair({10, 4});
        QCOMPARE(s.query(), 10);
        s.hover(6);
        QVERIFY(s.clearOneLevel()); // hover
        QCOMPARE(s.hovered(), -1);
        QVERIFY(s.pinnedPair().valid());
        QVERIFY(s.clearOneLevel()); // pair
        QVERIFY(!s.pinnedPair().valid());
        QCOMPARE(s.query(), 10);
        QVERIFY(s.clearOneLevel()); // pins
        QCOMPARE(s.query(), -1);
        QVERIFY(!s.clearOneLevel());
    }

    void hoverPair_hoversItsQuery() {
        SelectionModel s;
        QSignalSpy spy(&s, &SelectionModel::hoverChanged);
        s.hoverPair({5, 2});
        QCOMPARE(s.hovered(), 5);
        s.hoverPair({5, 2});
        QCOMPARE(spy.size(), 1);
        s.hover(5); // leaves the pair
        QVERIFY(!s.hoveredPair().valid());
        QCOMPARE(spy.size(), 2);
    }

    void clip_dropsWhatLiesBeyondTheText() {
        SelectionModel s;
        s.pinPair({100, 50});
        s.togglePin(20);
        s.hover(99);
        s.clipTo(60);
        QCOMPARE(s.hovered(), -1);
        QVERIFY(!s.pinnedPair().valid());
        QCOMPARE(s.pins(), std::set<int>{20});
        QCOMPARE(s.query(), 20);
        QSignalSpy spy(&s, &SelectionModel::pinsChanged);
        s.clipTo(60);
        QCOMPARE(spy.size(), 0);
    }

    void cell_changesOnce() {
        SelectionModel s;
        QSignalSpy spy(&s, &SelectionModel::cellChanged);
        s.setCell(12, 5);
        s.setCell(12, 5);
        QCOMPARE(spy.size(), 1);
        QCOMPARE(s.layer(), 12);
        QCOMPARE(s.head(), 5);
    }
};

QTEST_GUILESS_MAIN(TestSelectionModel)
#include "tst_SelectionModel.moc"
