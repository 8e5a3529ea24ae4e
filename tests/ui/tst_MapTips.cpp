#include "tests/support/MapWindow.h"
#include "tests/support/TextSnapshot.h"
#include "ui/plot/MapFacts.h"
#include <QTest>
#include <QTimer>

using namespace fovea;
using namespace fovea::ui;
using test::mapTip;
using Window = test::MapWindow;

class tst_MapTips : public QObject {
    Q_OBJECT
private slots:
    void init() { Theme::apply(Theme::light()); }

    /// A cell that was hovered by tokens is no cell by sentences: its tip is not asked for.
    void theTipOfASmallerCellIsDropped() {
        const auto snapshot = test::textSnapshot();
        Window w(snapshot);
        w.canvas().setFocus();
        const int last = static_cast<int>(snapshot->tokens->size()) - 1;
        QTest::mouseMove(&w.canvas(), w.at(last, last - 1));
        QCOMPARE(w.selection.hovered(), last);
        auto* asks = w.find<QTimer>("map.tip.timer");
        QVERIFY(asks->isActive());
        w.key(Qt::Key_G);
        w.key(Qt::Key_G);
        QVERIFY(w.canvas().scene().count < last);
        QVERIFY(!asks->isActive());
        QTest::mouseMove(&w.canvas(), w.at(1, 0));
        QTRY_VERIFY(mapTip()->isVisible());
        QVERIFY2(mapTip()->text().contains(QStringLiteral("by sentence")), qPrintable(mapTip()->text()));
        w.key(Qt::Key_G);
        QVERIFY(!mapTip()->isVisible());
    }

    void theTooltipIsExactAndPlain() {
        const auto snapshot = test::tinySnapshot();
        Window w(snapshot);
        w.view.activateWindow();
        QTest::mouseMove(&w.canvas(), w.at(40, 15)); // the token <b>bold</b>
        QCOMPARE(w.selection.hoveredPair(), (Pair{40, 15}));
        QTRY_VERIFY(mapTip() && mapTip()->isVisible());
        QCOMPARE(mapTip()->textFormat(), Qt::PlainText);
        QCOMPARE(mapTip()->text(), pairText(*pairFacts(*snapshot, 1, 1, 40, 15), *snapshot->tokens, 1, 1));
        QVERIFY(mapTip()->text().contains(QStringLiteral("<b>bold</b>")));
        QTest::mouseMove(&w.canvas(), w.at(10, 50));
        QTRY_VERIFY(mapTip()->text().contains(QStringLiteral("comes after the query")));
        QTest::mouseMove(&w.canvas(), QPoint(2, 2));
        QTRY_VERIFY(!mapTip()->isVisible());
        QVERIFY(!w.selection.hoveredPair().valid());
    }

    void aPooledPixelSaysWhatItHolds() {
        test::TinyOptions options;
        options.tokens = 1500;
        Window w(test::tinySnapshot(options));
        QTest::mouseMove(&w.canvas(), w.at(1200, 300));
        QTRY_VERIFY(mapTip() && mapTip()->isVisible());
        QVERIFY2(mapTip()->text().contains(QStringLiteral("mass ")) &&
                     mapTip()->text().contains(QStringLiteral("% kept")),
                 qPrintable(mapTip()->text()));
    }

    void tipAndCrosshairNameTheSameCells() {
        test::TinyOptions options;
        options.tokens = 1500;
        options.layers = 2;
        options.headDim = 4;
        options.isolated = false;
        Window w(test::tinySnapshot(options));
        QVERIFY(w.canvas().pools());
        const QPoint middle = w.canvas().mapLayout().plots.front().center().toPoint();
        QString before;
        for (int x = 0; x < 12; ++x) { // every phase of cells against pixels
            const QPoint at = middle + QPoint(x - 40, x / 2);
            QTest::mouseMove(&w.canvas(), at);
            const auto block = w.canvas().blockAt(at);
            QVERIFY(block);
            const Pair pair = w.selection.hoveredPair();
            const auto inside = [](RowRange r, int token) {
                return static_cast<std::size_t>(token) >= r.first && static_cast<std::size_t>(token) < r.last;
            };
            QVERIFY2(inside(block->queries, pair.query) && inside(block->keys, pair.key),
                     qPrintable(QStringLiteral("crosshair %1, %2 outside queries %3 to %4, keys %5 to %6")
                                    .arg(pair.query)
                                    .arg(pair.key)
                                    .arg(block->queries.first)
                                    .arg(block->queries.last - 1)
                                    .arg(block->keys.first)
                                    .arg(block->keys.last - 1)));
            const QString says = QStringLiteral("queries %1, keys %2")
                                     .arg(tokenRangeWords(block->queries), tokenRangeWords(block->keys));
            QTRY_VERIFY2(mapTip() && mapTip()->isVisible() && mapTip()->text().startsWith(says),
                         qPrintable(mapTip()->text() + QStringLiteral(" / ") + says));
        }
    }

    void tipsNameTheCause() {
        const auto text = [](ReadKind kind, std::optional<double> hybrid) {
            PairFacts facts;
            facts.query = 9;
            facts.key = 3;
            facts.kind = kind;
            facts.full = 0.25;
            facts.rank = 1;
            facts.hybrid = hybrid;
            facts.signal = "key_norm";
            return pairText(facts, *test::tinyTokens(12), 1, 2);
        };
        QVERIFY(text(ReadKind::OutsidePhase, 0.5).contains(QStringLiteral("outside the routed phase")));
        QVERIFY(!text(ReadKind::OutsidePhase, 0.5).contains(QStringLiteral("separator")));
        QVERIFY(text(ReadKind::LinearState, 0.5).contains(QStringLiteral("linear state")));
        const QString recurrent = text(ReadKind::Recurrent, std::nan(""));
        QVERIFY(recurrent.contains(QStringLiteral("recurrent state")) &&
                !recurrent.contains(QStringLiteral("nan")) && !recurrent.contains(QStringLiteral("summary")));
        const QString full = text(ReadKind::FullHead, 0.25);
        QVERIFY(full.contains(QStringLiteral("reads every key")) &&
                !full.contains(QStringLiteral("key_norm")));
        BlockFacts block;
        block.queries = {8, 10};
        block.keys = {2, 4};
        block.pairs = 4;
        block.rows = 2;
        block.coveredRows = 1;
        QCOMPARE(
            blockText(block, MapQuantity::Hybrid),
            QStringLiteral("queries #8\u2013#9, keys #2\u2013#3\nhybrid: not run yet for 1 of 2 queries"));
    }
};

QTEST_MAIN(tst_MapTips)
#include "tst_MapTips.moc"
