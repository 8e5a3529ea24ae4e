#include "tests/support/MapWindow.h"
#include "ui/views/MapMinimap.h"
#include <QFile>
#include <QKeyEvent>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTemporaryDir>
#include <QTest>
#include <QToolButton>

using namespace fovea;
using namespace fovea::ui;
using Window = test::MapWindow;

class tst_MapView : public QObject {
    Q_OBJECT
private slots:
    void init() { Theme::apply(Theme::light()); }

    /// A text of one token, or of a few, has as large a map as any other.
    void aShortTextFillsThePlot() {
        for (const std::size_t tokens : {std::size_t{1}, std::size_t{3}}) {
            test::TinyOptions options;
            options.tokens = tokens;
            Window w(test::tinySnapshot(options));
            const QRectF plot = w.canvas().mapLayout().plots.front();
            const double side = w.canvas().viewport().cell * static_cast<double>(tokens);
            QVERIFY2(side > 0.98 * std::min(plot.width(), plot.height()), qPrintable(QString::number(side)));
            QVERIFY(w.canvas().fitted());
            const QPoint middle = plot.center().toPoint();
            w.wheel(middle, -1); // smaller, and back to the whole
            QVERIFY(w.canvas().viewport().cell * static_cast<double>(tokens) < side);
            w.wheel(middle, 8);
            QVERIFY(w.canvas().viewport().cell * static_cast<double>(tokens) <= side * 1.001);
        }
    }

    void everyControlHasANameAndAHelp() {
        Window w(test::tinySnapshot());
        for (const QWidget* widget : w.view.findChildren<QWidget*>()) {
            if (widget->objectName().startsWith(QLatin1String("qt_")))
                continue;
            QVERIFY2(!widget->objectName().isEmpty(), widget->metaObject()->className());
            if (const auto* button = qobject_cast<const QToolButton*>(widget)) {
                QVERIFY(!button->accessibleName().isEmpty());
                QVERIFY(button->height() >= 24 && button->width() >= 24);
            }
        }
        QCOMPARE(w.canvas().objectName(), QStringLiteral("map.canvas"));
        QVERIFY(w.find<QWidget>("map.legend") && w.find<QWidget>("map.mode"));
    }

    void thePaintedCellIsTheRampOfTheExactValue() {
        const auto snapshot = test::tinySnapshot();
        Window w(snapshot, QSize(1500, 760));
        QTRY_VERIFY(w.settled());
        const auto source = snapshot->tileSource(1);
        const Ramp& ramp = Ramp::weights(Theme::light());
        const MapScale scale(ScaleKind::Log);
        for (const int q : {3, 20, 63}) {
            const AttentionRow row = makeRow(1, static_cast<std::size_t>(q), *source);
            for (const int k : {0, 1, q - 1, q}) {
                for (const std::size_t pane : {std::size_t{0}, std::size_t{1}}) {
                    const float p = pane == 0 ? row.full[std::size_t(k)] : row.hybrid[std::size_t(k)];
                    if (row.reason[std::size_t(k)] == Reason::Skipped)
                        continue;
                    const QRgb pixel = w.pixel(q, k, pane);
                    const int index = scale.index(p);
                    QVERIFY2(pixel == ramp.table()[std::size_t(index)] ||
                                 pixel == ramp.table()[std::size_t(std::max(0, index - 1))] ||
                                 pixel == ramp.table()[std::size_t(std::min(255, index + 1))],
                             qPrintable(QStringLiteral("query %1 key %2 pane %3: %4")
                                            .arg(q)
                                            .arg(k)
                                            .arg(pane)
                                            .arg(pixel, 0, 16)));
                }
            }
        }
        QCOMPARE(w.pixel(3, 60), Theme::light().impossible.rgb());
    }

    void modesGoRoundWithM() {
        Window w(test::tinySnapshot());
        QCOMPARE(w.view.arrangement(), MapView::Arrangement::One);
        QCOMPARE(w.view.mode(), MapQuantity::Hybrid);
        for (const auto mode :
             {MapQuantity::Difference, MapQuantity::Kept, MapQuantity::Full, MapQuantity::Hybrid}) {
            w.key(Qt::Key_M);
            QCOMPARE(w.view.mode(), mode);
            QCOMPARE(w.canvas().scene().panes.front().quantity, mode);
            QTRY_VERIFY(w.settled());
        }
        QTest::mouseClick(w.find<QToolButton>("map.mode.kept"), Qt::LeftButton);
        QCOMPARE(w.view.mode(), MapQuantity::Kept);
        QTRY_VERIFY(w.settled());
        QCOMPARE(w.pixel(40, 40), Theme::light().reasonColor(Reason::Local).rgb());
        QCOMPARE(w.pixel(40, 0), Theme::light().reasonColor(Reason::Always).rgb());
    }

    void twoMapsWhereOneWouldLeaveHalfEmpty_unlessOneIsChosen() {
        Window w(test::tinySnapshot(), QSize(1100, 700));
        QCOMPARE(w.canvas().scene().panes.size(), std::size_t{1});
        w.view.resize(1400, 700);
        QTRY_COMPARE(w.canvas().scene().panes.size(), std::size_t{2});
        QCOMPARE(w.canvas().scene().panes[0].quantity, MapQuantity::Full);
        QCOMPARE(w.canvas().scene().panes[1].quantity, MapQuantity::Hybrid);
        QTest::mouseClick(w.find<QToolButton>("map.layout.3"), Qt::LeftButton);
        QCOMPARE(w.canvas().scene().panes.size(), std::size_t{3});
        QCOMPARE(w.canvas().scene().panes[2].quantity, MapQuantity::Difference);
        QTest::mouseClick(w.find<QToolButton>("map.layout.1"), Qt::LeftButton);
        w.view.resize(1500, 700);
        QTest::qWait(0);
        QCOMPARE(w.canvas().scene().panes.size(), std::size_t{1});
    }

    void switchesByKey() {
        Window w(test::tinySnapshot());
        w.key(Qt::Key_L);
        QCOMPARE(w.canvas().scene().panes.front().scale.kind(), ScaleKind::Linear);
        w.key(Qt::Key_L);
        QCOMPARE(w.canvas().scene().panes.front().scale.kind(), ScaleKind::Log);
        w.key(Qt::Key_P);
        QCOMPARE(w.canvas().scene().panes.front().pooling, Pooling::Mass);
        w.key(Qt::Key_K);
        QVERIFY(w.canvas().scene().panes.front().keptOverlay);
    }

    void theKeptLinesLieOverFullAttention() {
        Window w(test::tinySnapshot());
        w.key(Qt::Key_M);
        w.key(Qt::Key_M);
        w.key(Qt::Key_M); // full
        QCOMPARE(w.view.mode(), MapQuantity::Full);
        QTRY_VERIFY(w.settled());
        const auto lines = [&] {
            const QImage image = w.canvas().grab().toImage();
            const QRectF plot = w.canvas().mapLayout().plots.front();
            int n = 0;
            for (int y = int(plot.top()) + 2; y < int(plot.bottom()) - 2; ++y)
                for (int x = int(plot.left()) + 2; x < int(plot.right()) - 2; ++x)
                    n += image.pixel(x, y) == Theme::light().texture().rgb();
            return n;
        };
        const int before = lines();
        w.key(Qt::Key_K);
        QTRY_VERIFY(w.settled());
        QVERIFY2(lines() > before + 1000, qPrintable(QStringLiteral("%1 then %2").arg(before).arg(lines())));
    }

    void theWheelZoomsAtTheCursor() {
        test::TinyOptions options;
        options.tokens = 300;
        Window w(test::tinySnapshot(options));
        const Pair under{220, 100};
        const QPoint position = w.at(under.query, under.key);
        const double before = w.canvas().viewport().cell;
        w.wheel(position, 3);
        QVERIFY(w.canvas().viewport().cell > before * 1.5);
        QVERIFY((w.canvas().cellCentre(under) - position).manhattanLength() <
                2 * w.canvas().viewport().cell + 2);
        const double normal = w.canvas().viewport().cell;
        w.wheel(position, 1, Qt::ControlModifier);
        const double fine = w.canvas().viewport().cell / normal;
        w.wheel(position, 1, Qt::ShiftModifier);
        const double fast = w.canvas().viewport().cell / normal / fine;
        QVERIFY(fine > 1 && fine < 1.2 && fast > 1.5);
        w.wheel(position, -60);
        QCOMPARE(w.canvas().viewport().cell, before); // never smaller than all of the text
    }

    void dragsPanAndTheRightButtonZoomsToItsRectangle() {
        test::TinyOptions options;
        options.tokens = 300;
        Window w(test::tinySnapshot(options));
        w.wheel(w.at(150, 50), 5);
        const MapViewport before = w.canvas().viewport();
        const QPoint from = w.canvas().mapLayout().plots.front().center().toPoint();
        QTest::mousePress(&w.canvas(), Qt::MiddleButton, {}, from);
        QTest::mouseMove(&w.canvas(), from + QPoint(-30, -20));
        QTest::mouseMove(&w.canvas(), from + QPoint(-60, -40));
        QTest::mouseRelease(&w.canvas(), Qt::MiddleButton, {}, from + QPoint(-60, -40));
        QVERIFY(std::abs(w.canvas().viewport().key - before.key - 60 / before.cell) < 1e-6);
        QVERIFY(std::abs(w.canvas().viewport().query - before.query - 40 / before.cell) < 1e-6);
        QVERIFY(!w.selection.pinnedPair().valid()); // a drag is no click
        w.key(Qt::Key_A);
        QVERIFY(w.canvas().viewport().key < before.key + 60 / before.cell);
        w.key(Qt::Key_F);
        const QPoint first = w.at(200, 20), second = w.at(260, 80);
        QTest::mousePress(&w.canvas(), Qt::RightButton, {}, first);
        QTest::mouseMove(&w.canvas(), (first + second) / 2);
        QTest::mouseMove(&w.canvas(), second);
        QTest::mouseRelease(&w.canvas(), Qt::RightButton, {}, second);
        QVERIFY(w.canvas().shownQueries().first <= 200 && w.canvas().shownQueries().last >= 260);
        QVERIFY(w.canvas().shownKeys().first <= 20 && w.canvas().shownKeys().last >= 80);
        QVERIFY(w.canvas().shownKeys().last - w.canvas().shownKeys().first < 130);
    }

    /// A long text has a small map of the whole beside the part that is in sight.
    void theMinimapMovesTheView() {
        test::TinyOptions options;
        options.tokens = 2100;
        options.hybrid = options.isolated = false;
        Window w(test::tinySnapshot(options), QSize(760, 820));
        auto* minimap = w.find<MapMinimap>("map.minimap");
        QVERIFY(!minimap->isVisible()); // all is in sight
        w.wheel(w.at(300, 100), 6);
        QVERIFY(minimap->isVisible());
        QVERIFY(!minimap->geometry().intersects(w.find<QWidget>("map.legend")->geometry()));
        QTest::mouseClick(minimap, Qt::LeftButton, {}, QPoint(65, 97)); // the middle of key, 3/4 of query
        const MapViewport view = w.canvas().viewport();
        const QSizeF plot = w.canvas().mapLayout().plots.front().size();
        QVERIFY(std::abs(view.key + plot.width() / view.cell / 2 - 2100 * 0.5) < 20);
        QVERIFY(std::abs(view.query + plot.height() / view.cell / 2 - 2100 * 0.75) < 20);
        w.key(Qt::Key_F);
        QVERIFY(!minimap->isVisible());
    }

    /// Where token labels just do not fit, the map takes the room that they leave.
    void theWholeMapFillsItsPlot() {
        for (std::size_t tokens = 34; tokens <= 66; tokens += 2) {
            test::TinyOptions options;
            options.tokens = tokens;
            Window w(test::tinySnapshot(options));
            const double side = w.canvas().viewport().cell * static_cast<double>(tokens);
            const double plot = w.canvas().mapLayout().plots.front().height();
            const bool largest = w.canvas().viewport().cell > kTokenLabelsFrom - 0.02; // without labels
            QVERIFY2((side > 0.99 * plot || largest) && side < 1.001 * plot,
                     qPrintable(QStringLiteral("%1 tokens: %2 of %3").arg(tokens).arg(side).arg(plot)));
            QVERIFY(w.canvas().fitted());
        }
    }

    /// A saved picture has titles and axis words that the screen may not have. It shows the same cells.
    void savedPicture_hasAllThatIsInSight() {
        Window w(test::tinySnapshot());
        QVERIFY(w.canvas().fitted());
        QVERIFY(!w.view.exportOptions().viewport); // all of the text, whatever the room
        w.wheel(w.at(30, 10), 6);
        QVERIFY(!w.canvas().fitted());
        const QSizeF plot = w.canvas().mapLayout().plots.front().size();
        QVERIFY(w.view.exportOptions().viewport == w.canvas().viewport());
        QCOMPARE(w.view.exportOptions().plot, std::optional<QSizeF>(plot));
    }

    void lowView_isNotCoveredByItsLegend() {
        Window w(test::tinySnapshot());
        auto* legend = w.find<QWidget>("map.legend");
        for (const int height : {700, 420, 300, 250, 220, 200}) {
            w.view.resize(900, height);
            QApplication::processEvents();
            const QRectF plot = w.canvas().mapLayout().plots.front();
            const QRect map(w.canvas().mapTo(&w.view, plot.topLeft().toPoint()), plot.size().toSize());
            if (legend->isVisible() && legend->geometry().intersects(map))
                QVERIFY2(legend->geometry().bottom() < map.center().y(), qPrintable(QString::number(height)));
        }
    }

    void tabFollowsReadingOrder() {
        Window w(test::tinySnapshot());
        QWidget* at = w.find<QWidget>("map.layer");
        QPoint before = at->mapTo(&w.view, QPoint());
        int seen = 1;
        for (at = at->nextInFocusChain(); at != w.find<QWidget>("map.layer"); at = at->nextInFocusChain()) {
            if (!at->isVisible() || !w.view.isAncestorOf(at) || (at->focusPolicy() & Qt::TabFocus) == 0 ||
                at->objectName().startsWith(QLatin1String("qt_")))
                continue;
            const QPoint here = at->mapTo(&w.view, QPoint());
            const bool below = here.y() > before.y() + 10;
            const bool right = std::abs(here.y() - before.y()) <= 10 && here.x() > before.x();
            QVERIFY2(below || right, qPrintable(at->objectName()));
            before = here;
            ++seen;
        }
        QVERIFY2(seen >= 14, qPrintable(QString::number(seen)));
    }

    void panningKeepsTheMinimapsPicture() {
        test::TinyOptions options;
        options.tokens = 2100;
        options.hybrid = options.isolated = false;
        Window w(test::tinySnapshot(options), QSize(760, 820));
        w.wheel(w.at(300, 100), 6);
        auto* minimap = w.find<MapMinimap>("map.minimap");
        QVERIFY(minimap->isVisible() && !minimap->image().isNull());
        const qint64 picture = minimap->image().cacheKey();
        const MapViewport before = w.canvas().viewport();
        w.key(Qt::Key_E);
        w.wheel(w.at(320, 110), 1);
        QVERIFY(w.canvas().viewport() != before);
        QCOMPARE(minimap->image().cacheKey(), picture);
        Theme::apply(Theme::darkTheme());
        QVERIFY(minimap->image().cacheKey() != picture);
    }

    void xHeldDownExchangesOnce() {
        Window w(test::tinySnapshot());
        const QSignalSpy wanted(&w.view, &MapView::exchangeWanted);
        w.key(Qt::Key_X);
        for (int i = 0; i < 3; ++i) {
            QKeyEvent again(QEvent::KeyPress, Qt::Key_X, Qt::NoModifier, QStringLiteral("x"), true);
            QCoreApplication::sendEvent(&w.canvas(), &again);
        }
        QCOMPARE(wanted.size(), 1);
    }

    void aLeftDragChoosesARectangle() {
        test::TinyOptions options;
        options.tokens = 60;
        Window w(test::tinySnapshot(options));
        const MapViewport before = w.canvas().viewport();
        const QPoint first = w.at(30, 5), last = w.at(40, 12);
        QTest::mousePress(&w.canvas(), Qt::LeftButton, {}, first);
        QTest::mouseMove(&w.canvas(), (first + last) / 2);
        QTest::mouseMove(&w.canvas(), last);
        QVERIFY(!w.selection.block().valid()); // not before the button is up
        QTest::mouseRelease(&w.canvas(), Qt::LeftButton, {}, last);
        QVERIFY((w.selection.block() == SelectionModel::Block{30, 41, 5, 13}));
        QVERIFY(w.canvas().viewport() == before && !w.selection.pinnedPair().valid());
        const QImage with = w.canvas().grab().toImage();
        w.key(Qt::Key_Escape);
        w.key(Qt::Key_Escape); // the hovered cell first
        QVERIFY(!w.selection.block().valid());
        QVERIFY(w.canvas().grab().toImage() != with);
    }

    void aClickPinsAndArrowsMoveThePin() {
        Window w(test::tinySnapshot());
        QTest::mouseClick(&w.canvas(), Qt::LeftButton, {}, w.at(30, 7));
        QCOMPARE(w.selection.pinnedPair(), (Pair{30, 7}));
        QCOMPARE(w.selection.query(), 30);
        w.key(Qt::Key_Left);
        QCOMPARE(w.selection.pinnedPair(), (Pair{30, 6}));
        w.key(Qt::Key_Down);
        QCOMPARE(w.selection.pinnedPair(), (Pair{31, 6}));
        w.key(Qt::Key_Home);
        QCOMPARE(w.selection.pinnedPair().query, 0);
        w.key(Qt::Key_F);
        QVERIFY(w.canvas().viewport().cell > 15); // the pin, near
        w.key(Qt::Key_F);
        QCOMPARE(w.canvas().shownQueries().last, std::size_t{64}); // F F: all
        w.key(Qt::Key_Escape);
        QVERIFY(!w.selection.pinnedPair().valid());
    }

    void boxesAndTitleAgreeBeforeAModelIsThere() {
        Window w;
        w.selection.setCell(12, 5);
        QCOMPARE(w.find<QSpinBox>("map.layer")->value(), 12);
        QCOMPARE(w.find<QSpinBox>("map.head")->value(), 5);
        QVERIFY(w.view.windowTitle().contains(QStringLiteral("L12 H5")));
    }

    void everyPinIsALineAcrossTheMap() {
        for (const int tokens : {64, 300}) { // with cells of several pixels, and of one or two
            test::TinyOptions options;
            options.tokens = static_cast<std::size_t>(tokens);
            Window w(test::tinySnapshot(options));
            QTRY_VERIFY(w.settled());
            const QImage without = w.canvas().grab().toImage();
            const auto inkAlong = [&](int query) {
                const QImage image = w.canvas().grab().toImage();
                const QPoint far = w.at(query, tokens - 4); // beyond the diagonal
                const int x = far.x(), y = far.y();
                const int reach = static_cast<int>(w.canvas().viewport().cell) + 2;
                for (int dy = -reach; dy <= reach; ++dy)
                    if (image.pixel(x, y + dy) == Theme::light().ink.rgb())
                        return true;
                return false;
            };
            QVERIFY(!inkAlong(20) && !inkAlong(50));
            w.selection.pin(20);
            QVERIFY(inkAlong(20) && !inkAlong(50));
            w.selection.togglePin(50);
            QVERIFY(inkAlong(20) && inkAlong(50));
            QCOMPARE(w.view.exportOptions().pins, (std::vector<int>{20, 50}));
            w.selection.pin(-1);
            QCOMPARE(w.canvas().grab().toImage(), without);
        }
    }

    void aSessionBringsModeAndViewportBack() {
        test::TinyOptions options;
        options.tokens = 300;
        const auto snapshot = test::tinySnapshot(options);
        std::map<std::string, std::string> state;
        MapViewport view;
        {
            Window w(snapshot);
            w.view.setMode(MapQuantity::Difference);
            w.view.setArrangement(MapView::Arrangement::Three);
            w.view.setLogarithmic(false);
            w.view.setPooling(Pooling::Mass);
            w.view.setKeptOverlay(true);
            w.wheel(w.at(150, 50), 5);
            view = w.canvas().viewport();
            state = w.view.state();
        }
        Window w({}, QSize(700, 760)); // the session comes before its run
        w.requests.setRequest(*snapshot->request);
        w.view.restore(state);
        w.runs.adopt(snapshot);
        QCOMPARE(w.view.mode(), MapQuantity::Difference);
        QCOMPARE(w.view.arrangement(), MapView::Arrangement::Three);
        QVERIFY(!w.view.exportOptions().logarithmic);
        QVERIFY(w.view.exportOptions().pooling == Pooling::Mass && w.view.exportOptions().keptOverlay);
        QVERIFY(std::abs(w.canvas().viewport().cell - view.cell) < 1e-6);
        QVERIFY(std::abs(w.canvas().viewport().key - view.key) < 1e-6);
        QVERIFY(std::abs(w.canvas().viewport().query - view.query) < 1e-6);
        // What cannot be read changes nothing.
        state["map.view"] = "nan 1 2 of 300";
        state["map.mode"] = "rubbish";
        w.view.restore(state);
        QCOMPARE(w.view.mode(), MapQuantity::Difference);
        QVERIFY(std::abs(w.canvas().viewport().cell - view.cell) < 1e-6);
    }

    void layersAndHeadsByKeyAndPicker() {
        Window w(test::tinySnapshot());
        w.key(Qt::Key_PageDown);
        QCOMPARE(w.selection.layer(), 2);
        w.key(Qt::Key_PageDown);
        QCOMPARE(w.selection.layer(), 2);
        w.key(Qt::Key_BracketRight);
        QCOMPARE(w.selection.head(), 2);
        QCOMPARE(w.find<QSpinBox>("map.head")->value(), 2);
        w.find<QSpinBox>("map.layer")->setFocus();
        QTest::keyClick(w.find<QSpinBox>("map.layer"), Qt::Key_Down);
        QCOMPARE(w.selection.layer(), 1);
        QCOMPARE(w.requests.request().visible.layer, 1);
        QVERIFY(w.view.windowTitle().startsWith(QStringLiteral("Map L1 H2")));
    }

    void boxesSayWhatTheTitleSays() {
        Window w;
        w.selection.setCell(12, 5); // before the model has said how many layers there are
        QVERIFY2(w.view.windowTitle().startsWith(QStringLiteral("Map L12 H5")),
                 qPrintable(w.view.windowTitle()));
        QCOMPARE(w.find<QSpinBox>("map.layer")->value(), 12);
        QCOMPARE(w.find<QSpinBox>("map.head")->value(), 5);
        w.selection.setCell(1, 1);
        w.runs.adopt(test::tinySnapshot());
        QCOMPARE(w.find<QSpinBox>("map.layer")->maximum(), 2);
        QCOMPARE(w.find<QSpinBox>("map.layer")->value(), 1);
    }

    void aTableThatIsTooLargeIsRefusedBeforeItIsNamed() {
        test::TinyOptions options;
        options.tokens = 3000;
        options.layers = 2;
        options.heads = 2;
        options.kvHeads = 1;
        options.headDim = 4;
        options.isolated = false;
        Window w(test::tinySnapshot(options));
        QSignalSpy message(&w.view, &MapView::message);
        w.view.exportNumbers();
        QCOMPARE(message.size(), 1);
        QVERIFY2(message.last().first().toString().contains(QStringLiteral("4,501,500 pairs")),
                 qPrintable(message.last().first().toString()));
        QVERIFY(!w.view.findChild<QWidget*>(QStringLiteral("map.saveNumbers")));
    }

    void theOldPictureStaysAndSaysSo() {
        test::TinyOptions options;
        const auto first = test::tinySnapshot(options);
        Window w(first);
        QTRY_VERIFY(w.settled());
        const QImage before = w.canvas().grab().toImage();
        w.runs.dragStarted();
        const ParamSpec* spec = findParam("window");
        w.requests.setParam(*spec, ParamValue(std::int64_t{3}));
        QVERIFY(w.runs.updating());
        QVERIFY(w.view.pictureIsOld());
        QVERIFY(w.view.windowTitle().contains(QStringLiteral("updating")));
        QCOMPARE(w.canvas().grab().toImage(), before); // at full strength
        const QImage all = w.view.grab().toImage();
        QCOMPARE(all.pixel(20, 0), Theme::light().accent.rgb());
        QCOMPARE(all.pixel(20, 1), Theme::light().accent.rgb());
        options.policy.local.window = 3;
        options.generation = 1000;
        auto next = std::make_shared<Snapshot>(*test::tinySnapshot(options));
        next->full = first->full;
        auto request = std::make_shared<Request>(w.requests.request());
        next->request = request;
        w.runs.adopt(next);
        QTRY_VERIFY(w.settled());
        QTRY_VERIFY(!w.view.windowTitle().contains(QStringLiteral("updating")));
        QVERIFY(w.canvas().grab().toImage() != before);
    }

    void anotherTextTakesOverOnlyWithItsLayer() {
        test::TinyOptions options;
        Window w(test::tinySnapshot(options));
        QTRY_VERIFY(w.settled());
        options.tokens = 90;
        options.seed = 4;
        options.layersDone = 1; // the shown layer is 1: not there yet
        options.generation = 5;
        w.runs.adopt(test::tinySnapshot(options));
        QCOMPARE(w.canvas().scene().count, 64);
        options.layersDone = 2;
        w.runs.adopt(test::tinySnapshot(options));
        QCOMPARE(w.canvas().scene().count, 90);
        QTRY_VERIFY(w.settled());
    }

    void emptyOneTokenAndLong_data() {
        QTest::addColumn<int>("tokens");
        for (const int tokens : {0, 1, 2, 5000})
            QTest::addRow("T=%d", tokens) << tokens;
    }
    void emptyOneTokenAndLong() {
        QFETCH(int, tokens);
        test::TinyOptions options;
        options.tokens = static_cast<std::size_t>(tokens);
        options.layers = 2;
        options.heads = 2;
        options.kvHeads = 1;
        options.headDim = 4;
        options.isolated = false;
        Window w(tokens > 0 ? test::tinySnapshot(options) : nullptr);
        QTRY_VERIFY_WITH_TIMEOUT(w.settled(), 60000);
        const QImage image = w.view.grab().toImage();
        QVERIFY(!image.isNull());
        if (tokens == 0)
            QVERIFY(!w.canvas().scene().empty.isEmpty());
        else
            QCOMPARE(w.canvas().shownQueries().last, static_cast<std::size_t>(tokens));
        w.key(Qt::Key_W);
        w.key(Qt::Key_Down);
        w.key(Qt::Key_PageUp);
    }

    void whatIsInSightGoesIntoTheRequest() {
        test::TinyOptions options;
        options.tokens = 2000;
        options.layers = 2;
        options.headDim = 4;
        options.isolated = false;
        Window w(test::tinySnapshot(options));
        w.wheel(w.at(1500, 100), 12);
        QTRY_VERIFY(w.requests.request().visible.queries.first > 0);
        const VisibleRect visible = w.requests.request().visible;
        QVERIFY(visible.queries.last - visible.queries.first <= 512);
        QVERIFY(visible.keys.last - visible.keys.first <= 512);
        QVERIFY(visible.queries.first <= 1500 && visible.queries.last > 1500);
        QCOMPARE(visible.layer, 1);
        QCOMPARE(visible.head, 1);
    }

    void theSentenceFollowsTheSelection() {
        const auto snapshot = test::tinySnapshot();
        Window w(snapshot);
        w.selection.pinPair({40, 3});
        const auto keys = snapshot->visible->plan->keptKeys(1, 40).size();
        QCOMPARE(w.canvas().accessibleName(),
                 QStringLiteral("map, L1 H1, B %1, query 40 reads %2 keys")
                     .arg(QString::fromStdString(snapshot->request->policy.summary()))
                     .arg(keys));
    }

    void theCurrentViewIsSaved() {
        QTemporaryDir folder;
        Window w(test::tinySnapshot(), QSize(1000, 700));
        QSignalSpy message(&w.view, &MapView::message);
        w.view.savePicture(folder.filePath(QStringLiteral("a.png")));
        w.view.savePicture(folder.filePath(QStringLiteral("a.svg")));
        w.view.saveNumbers(folder.filePath(QStringLiteral("a.csv")));
        QTRY_COMPARE(message.size(), 3);
        QVERIFY(!QImage(folder.filePath(QStringLiteral("a.png"))).isNull());
        QFile svg(folder.filePath(QStringLiteral("a.svg")));
        QVERIFY(svg.open(QIODevice::ReadOnly));
        QVERIFY(svg.readAll().contains("</svg>"));
        QFile csv(folder.filePath(QStringLiteral("a.csv")));
        QVERIFY(csv.open(QIODevice::ReadOnly));
        const QList<QByteArray> lines = csv.readAll().split('\n');
        QVERIFY(lines.front().startsWith("query,key"));
        QVERIFY(lines.front().endsWith("layer,head,regime,model,text,policy"));
        const SnapshotPtr shown = w.view.shownSnapshot(); // each row says what it is of
        QVERIFY(lines[1].endsWith(
            ("1,1,isolated,00000000," + shown->textHash.substr(0, 8) + ',' + shown->policyHash.substr(0, 8))
                .c_str()));
        w.view.savePicture(QStringLiteral("/nowhere/a.png"));
        QTRY_COMPARE(message.size(), 4);
        QVERIFY(message.last().first().toString().contains(QStringLiteral("/nowhere")));
    }

    void aThemeChangeRedraws() {
        Window w(test::tinySnapshot());
        QTRY_VERIFY(w.settled());
        QCOMPARE(w.pixel(30, 40), Theme::light().impossible.rgb());
        Theme::apply(Theme::darkTheme());
        QCOMPARE(w.pixel(30, 40), Theme::darkTheme().impossible.rgb());
    }
};

QTEST_MAIN(tst_MapView)
#include "tst_MapView.moc"
