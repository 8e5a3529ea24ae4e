#include "tests/support/TinySnapshot.h"
#include "tests/support/WindowStage.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include "ui/views/MapView.h"
#include "ui/views/TokenCanvas.h"
#include "ui/window/Docks.h"
#include "ui/window/MainWindow.h"
#include <QAbstractButton>
#include <QApplication>
#include <QComboBox>
#include <QDockWidget>
#include <QLabel>
#include <QLineEdit>
#include <QSettings>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>
#include <QToolButton>
#include <random>

using namespace fovea;
using namespace fovea::ui;
using namespace fovea::test;

class TestDocks : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { keepSettingsIn(m_dir); }

    void init() {
        QSettings().clear();
        Theme::apply(Theme::light());
    }

    void docks_haveTheirNamesAndFit() {
        Stage s;
        s.window.resize(1280, 800);
        QVERIFY(s.window.findChild<QDockWidget*>(QStringLiteral("dock.params")));
        QTRY_VERIFY(s.window.height() <= 800);
        QVERIFY2(s.window.minimumSizeHint().height() <= 800,
                 qPrintable(QString::number(s.window.minimumSizeHint().height())));
        for (const QDockWidget* dock : s.window.findChildren<QDockWidget*>()) {
            QVERIFY(!dock->objectName().isEmpty());
            QVERIFY(!dock->isFloating());
        }
    }

    /// Ctrl+2 puts the curve into the middle, beside the map; Ctrl+1 brings all panels back as they were.
    void workspaces_keepThePanels() {
        Stage s;
        s.runs.adopt(test::tinySnapshot());
        s.window.resize(1280, 800);
        const auto find = [&](const char* name) { return s.window.findChild<QWidget*>(QLatin1String(name)); };
        QTRY_VERIFY(find("dock.heads")->isVisible());
        const auto shown = [&] {
            QStringList names;
            for (const QDockWidget* dock : s.window.findChildren<QDockWidget*>())
                if (dock->isVisible())
                    names << dock->objectName();
            names.sort(); // the order of children follows which was raised last
            return names;
        };
        const QStringList before = shown();
        const auto widths = [&] {
            return std::pair(find("dock.params")->width(), find("dock.heads")->width());
        };
        const auto widthsBefore = widths();
        QVERIFY(!find("tune.view")->isVisible());
        QTest::keyClick(&s.window, Qt::Key_2, Qt::ControlModifier);
        QTRY_VERIFY(find("tune.view")->isVisible());
        QCOMPARE(shown(), QStringList{QStringLiteral("dock.params")});
        QVERIFY(s.window.height() <= 800 && s.window.width() <= 1280);
        for (const char* name : {"curve.plot", "tune.kl.find", "tune.knee.load", "tune.table", "tune.tornado",
                                 "map.canvas", "tune.save"}) {
            const QWidget* one = find(name);
            QVERIFY2(one != nullptr && one->isVisible(), name);
            const QRect place(one->mapTo(&s.window, QPoint()), one->size());
            QVERIFY2(s.window.rect().contains(place), name);
        }
        QTRY_VERIFY2(find("curve.plot")->width() > 500 && find("curve.plot")->height() > 250,
                     qPrintable(QStringLiteral("%1 x %2")
                                    .arg(find("curve.plot")->width())
                                    .arg(find("curve.plot")->height())));
        QVERIFY(!find("text.view")->isVisible() && !find("curve.find")->isVisible());
        // F6 goes through what is there.
        QStringList reached;
        for (int times = 0; times < 4; ++times) {
            s.window.action("view.nextDock")->trigger();
            for (const char* name : {"dock.params", "tune.view", "map", "tune.sensitivity"})
                if (QApplication::focusWidget() != nullptr &&
                    (find(name) == QApplication::focusWidget() ||
                     find(name)->isAncestorOf(QApplication::focusWidget())))
                    reached << QLatin1String(name);
        }
        reached.removeDuplicates();
        QVERIFY2(reached.size() >= 3, qPrintable(reached.join(QLatin1Char(' '))));
        QTest::mouseClick(find("top.explore"), Qt::LeftButton);
        QTRY_VERIFY(!find("tune.view")->isVisible());
        QCOMPARE(shown(), before);
        QTRY_COMPARE(widths(), widthsBefore);
        // The search is in the text, which Tune has put away.
        s.window.action("view.tune")->trigger();
        s.window.action("edit.find")->trigger();
        QTRY_VERIFY(find("text.search")->isVisible() && !find("tune.view")->isVisible());
        QVERIFY(find("text.view")->isVisible());
        // Whoever opens the panel of the curve has it there.
        QTest::mouseClick(find("top.tune"), Qt::LeftButton);
        QTRY_VERIFY(find("tune.view")->isVisible());
        QTest::mouseClick(find("drawer.curve"), Qt::LeftButton);
        QTRY_VERIFY(!find("tune.view")->isVisible() && find("curve.plot")->isVisible());
        QVERIFY(find("dock.curve")->isAncestorOf(find("curve.plot")) && find("curve.find")->isVisible());
        // Also by its menu entry, which shows the panel while the window is laid out.
        s.window.action("view.tune")->trigger();
        QTRY_VERIFY(find("tune.view")->isVisible());
        s.find<QDockWidget>("dock.curve")->toggleViewAction()->trigger();
        QTRY_VERIFY(!find("tune.view")->isVisible() && find("curve.plot")->isVisible());
    }

    /// Workspaces, panels that open, close, float and come back, in any order and at any stage of the layout.
    void panelsAndWorkspaces_inAnyOrder() {
        Stage s;
        s.runs.adopt(test::tinySnapshot());
        s.window.resize(1280, 800);
        const auto docks = s.window.findChildren<QDockWidget*>(QString(), Qt::FindDirectChildrenOnly);
        QVERIFY(docks.size() > 5);
        std::mt19937 random(1);
        for (int step = 0; step < 400; ++step) {
            QDockWidget* dock = docks[static_cast<int>(random() % static_cast<unsigned>(docks.size()))];
            switch (random() % 8) {
            case 0:
            case 1:
                s.window.action("view.tune")->trigger();
                break;
            case 2:
                s.window.action("view.explore")->trigger();
                break;
            case 3:
                dock->setFloating(!dock->isFloating());
                break;
            case 4:
                s.find<QDockWidget>("dock.curve")->toggleViewAction()->trigger();
                break;
            case 5:
                if (random() % 4 == 0)
                    s.window.action("view.reset")->trigger();
                break;
            default:
                dock->toggleViewAction()->trigger();
            }
            if (random() % 3 != 0)
                QCoreApplication::processEvents();
        }
        s.window.action("view.explore")->trigger();
        s.window.action("view.reset")->trigger();
        QTRY_VERIFY(s.find<QDockWidget>("dock.curve")->isAncestorOf(s.find<QWidget>("curve.plot")));
        QVERIFY(!s.find<QWidget>("tune.view")->isVisible());
    }

    void theMapIsTheLargestThing_data() {
        QTest::addColumn<QSize>("size");
        QTest::addColumn<int>("least"); // pixels of a side of the square of cells
        QTest::newRow("1024x640") << QSize(1024, 640) << 260;
        QTest::newRow("1280x800") << QSize(1280, 800) << 560;
        QTest::newRow("1920x1080") << QSize(1920, 1080) << 860;
    }

    void theMapIsTheLargestThing() {
        QFETCH(QSize, size);
        QFETCH(int, least);
        Stage s;
        test::TinyOptions options;
        options.tokens = 128; // labels of tokens, which take room, begin below 79
        s.runs.adopt(test::tinySnapshot(options));
        s.window.resize(size);
        QTest::qWait(20);
        s.window.action("view.reset")->trigger();
        QTest::qWait(20);
        const auto plot = [&s] { return s.find<MapView>("map")->canvas().mapLayout().plots.front(); };
        QTRY_VERIFY2(plot().width() >= least, qPrintable(QString::number(plot().width())));
        QCOMPARE(plot().width(), plot().height());
        QVERIFY(s.find<QWidget>("map.legend")->isVisible());
        // Four lines of the text, and every control in sight.
        auto* words = s.find<TokenCanvas>("text.reading");
        if (size.height() >= 800)
            QVERIFY2(words->viewport()->height() >= 4 * words->tokenRect(0).height(),
                     qPrintable(QString::number(words->viewport()->height())));
        for (const char* name : {"map", "text.view"}) {
            const auto* view = s.find<QWidget>(name);
            for (const QWidget* control : view->findChildren<QWidget*>())
                if (control->isVisible() && (qobject_cast<const QAbstractButton*>(control) ||
                                             qobject_cast<const QComboBox*>(control))) {
                    const QRect place(control->mapTo(view, QPoint()), control->size());
                    QVERIFY2(view->rect().contains(place) && place.height() >= 24 && place.width() >= 24,
                             qPrintable(control->objectName()));
                }
        }
        // The search takes its room from the words, not from the controls.
        const auto places = [&s] {
            std::vector<QRect> all;
            for (const char* name : {"text.mode.reading", "text.mode.strip", "text.colour", "text.edit"})
                all.push_back(s.find<QWidget>(name)->geometry());
            return all;
        };
        const std::vector<QRect> before = places();
        s.window.action("edit.find")->trigger();
        QTRY_VERIFY(s.find<QWidget>("text.search")->isVisible());
        QTest::qWait(20);
        QCOMPARE(places(), before);
    }

    /// The map's controls stand where they leave the larger map, and no zoom and no second map moves them.
    void theMapsControls_standWhereTheyLeaveTheLargerMap() {
        Stage s;
        s.runs.adopt(test::tinySnapshot());
        auto* map = s.find<MapView>("map");
        auto* two = s.find<QToolButton>("map.layout.2");
        const auto areBeside = [&] {
            return two->mapTo(map, QPoint()).x() > map->canvas().geometry().center().x() &&
                   two->mapTo(map, QPoint()).y() > map->canvas().y() + 40;
        };
        s.window.resize(1280, 800);
        s.window.action("view.reset")->trigger();
        QTRY_VERIFY(areBeside());
        const QPoint before = two->mapTo(&s.window, QPoint());
        for (int i = 0; i < 12; ++i)
            QTest::keyClick(&map->canvas(), Qt::Key_W);
        QVERIFY(map->canvas().mapLayout().tokenLabels);
        QTest::mouseClick(two, Qt::LeftButton);
        QCOMPARE(two->mapTo(&s.window, QPoint()), before);
        s.window.resize(1024, 640);
        QTRY_VERIFY(!areBeside());
        QVERIFY(two->isVisible() && two->mapTo(map, QPoint()).y() < map->canvas().y());
    }

    void theDrawer_isClosedAndOpensBelow() {
        Stage s;
        s.window.resize(1280, 800);
        auto* routing = s.find<QDockWidget>("dock.routing");
        QVERIFY(!routing->isVisible() && !s.find<QDockWidget>("dock.curve")->isVisible());
        auto* button = s.find<QToolButton>("drawer.routing");
        QTest::mouseClick(button, Qt::LeftButton);
        QVERIFY(routing->isVisible() && button->isChecked());
        QTRY_VERIFY2(routing->height() > 200, qPrintable(QString::number(routing->height())));
        QTest::mouseClick(s.find<QToolButton>("drawer.curve"), Qt::LeftButton);
        QVERIFY(s.find<QDockWidget>("dock.curve")->isVisible());
        QTest::mouseClick(button, Qt::LeftButton);
        QVERIFY(!routing->isVisible() && !button->isChecked());
    }

    /// The panels at the right are as high as before, once the drawer is closed again.
    void theDrawer_leavesTheHeadsTheirHeight() {
        Stage s;
        s.window.resize(1280, 800);
        QTest::qWait(20);
        s.window.action("view.reset")->trigger();
        QTest::qWait(20);
        auto* heads = s.find<QDockWidget>("dock.heads");
        const int before = heads->height();
        auto* button = s.find<QToolButton>("drawer.routing");
        QTest::mouseClick(button, Qt::LeftButton);
        QTRY_VERIFY(heads->height() < before);
        QTest::mouseClick(button, Qt::LeftButton);
        QTRY_COMPARE(heads->height(), before);
    }

    /// In a wide window the text stands beside the map, which is larger so; with two maps it is below them.
    void inAWideWindow_theTextIsBesideTheMap() {
        Stage s;
        s.runs.adopt(test::tinySnapshot());
        auto* map = s.find<MapView>("map");
        auto* words = s.find<QWidget>("text.view");
        const auto isBeside = [&] {
            return words->mapTo(&s.window, QPoint()).x() >=
                   map->mapTo(&s.window, QPoint()).x() + map->width();
        };
        s.window.resize(1280, 800);
        QTRY_VERIFY(!isBeside());
        s.window.resize(1920, 1080);
        QTRY_VERIFY(isBeside());
        QVERIFY(words->height() > 600);
        QTest::mouseClick(s.find<QToolButton>("map.layout.2"), Qt::LeftButton);
        QTRY_VERIFY(!isBeside());
        QTest::mouseClick(s.find<QToolButton>("map.layout.1"), Qt::LeftButton);
        QTRY_VERIFY(isBeside());
        s.window.resize(1280, 800);
        QTRY_VERIFY(!isBeside());
    }

    /// What a command is about comes into sight, behind another panel or closed.
    void commandsOpenTheirPanels() {
        Stage s;
        auto* generate = s.find<QDockWidget>("dock.generate");
        QTest::mouseClick(s.find<QToolButton>("drawer.generate"), Qt::LeftButton);
        QTest::mouseClick(s.find<QToolButton>("drawer.routing"), Qt::LeftButton);
        QTRY_VERIFY(generate->visibleRegion().isEmpty()); // behind
        QTest::keyClick(&s.window, Qt::Key_G, Qt::ControlModifier | Qt::ShiftModifier);
        QTRY_VERIFY(!generate->visibleRegion().isEmpty());
        auto* params = s.find<QDockWidget>("dock.params");
        params->close();
        QTest::keyClick(&s.window, Qt::Key_K, Qt::ControlModifier);
        auto* field = s.find<QLineEdit>("palette.field");
        QTest::keyClicks(field, QStringLiteral("parameter dilation"));
        QTest::keyClick(field, Qt::Key_Return);
        QVERIFY(params->isVisible());
        QTRY_VERIFY(s.find<QWidget>("params.local.dilation")->isVisible());
    }

    /// Tab goes round the whole window and comes back, through visible widgets only, and changes nothing.
    void tab_goesRoundAndComesBack() {
        Stage s;
        s.window.activateWindow();
        auto* first = s.find<QWidget>("params.local.window.slider");
        first->setFocus();
        QTRY_COMPARE(QApplication::focusWidget(), first);
        for (const Qt::Key key : {Qt::Key_Tab, Qt::Key_Backtab}) {
            std::vector<QWidget*> seen;
            do {
                QWidget* const at = QApplication::focusWidget();
                QVERIFY(at != nullptr);
                QVERIFY2(at->isVisible(), qPrintable(at->objectName()));
                QVERIFY2(
                    std::find(seen.begin(), seen.end(), at) == seen.end(),
                    qPrintable(QStringLiteral("Tab does not leave %1 (%2)")
                                   .arg(at->objectName(), QLatin1String(at->metaObject()->className()))));
                seen.push_back(at);
                QTest::keyClick(at, key);
            } while (QApplication::focusWidget() != first);
            QVERIFY2(seen.size() > 20, qPrintable(QString::number(seen.size())));
            for (const char* name : {"map.canvas", "text.reading", "heads.grid", "params.local.window.value"})
                QVERIFY2(std::find(seen.begin(), seen.end(), s.find<QWidget>(name)) != seen.end(), name);
        }
        QCOMPARE(s.selection.query(), -1);
        for (const QTableView* table : s.window.findChildren<QTableView*>())
            QVERIFY2(!table->tabKeyNavigation(), qPrintable(table->objectName()));
    }

    void firstSize_fitsTheScreen() {
        QCOMPARE(firstWindowSize({1920, 1080}), QSize(1280, 800));
        const QSize laptop = firstWindowSize({1366, 768});
        QVERIFY(laptop.width() == 1280 && laptop.height() <= 768 - 40);
        QCOMPARE(firstWindowSize({800, 600}), QSize(1024, 640)); // the least that the panels need
        Stage s;
        QVERIFY2(s.window.minimumSizeHint().height() <= 640,
                 qPrintable(QString::number(s.window.minimumSizeHint().height())));
        s.window.resize(1024, 640);
        QTRY_COMPARE(s.window.size(), QSize(1024, 640));
        const auto* foot = s.find<QWidget>("bar.foot");
        QVERIFY(foot->mapTo(&s.window, QPoint(0, foot->height())).y() <= 640);
    }

    /// Hiding and showing (minimising, another desktop) leaves the panels as the user has made them.
    void show_again_keepsThePanels() {
        Stage s;
        s.window.resize(1600, 900);
        QTest::qWait(20); // the first layout is under way
        auto* params = s.find<QDockWidget>("dock.params");
        s.window.resizeDocks({params}, {400}, Qt::Horizontal);
        QTRY_VERIFY2(params->width() > 380, qPrintable(QString::number(params->width())));
        const int width = params->width();
        s.window.hide();
        s.window.show();
        QTest::qWait(20);
        QCOMPARE(params->width(), width);
    }

    void labels_areNotClipped_data() {
        QTest::addColumn<bool>("dark");
        QTest::addColumn<QSize>("size");
        QTest::newRow("light 1280x800") << false << QSize(1280, 800);
        QTest::newRow("dark 1024x800") << true << QSize(1024, 800);
        QTest::newRow("dark 1920x1080") << true << QSize(1920, 1080);
    }

    void labels_areNotClipped() {
        QFETCH(bool, dark);
        QFETCH(QSize, size);
        Stage s;
        Theme::apply(dark ? Theme::darkTheme() : Theme::light());
        s.window.resize(size);
        QTest::qWait(20);
        for (const QLabel* label : s.window.findChildren<QLabel*>()) {
            if (!label->isVisible() || label->text().isEmpty() || label->wordWrap() ||
                label->sizePolicy().horizontalPolicy() == QSizePolicy::Ignored)
                continue;
            QVERIFY2(label->width() >= label->sizeHint().width() - 1,
                     qPrintable(QStringLiteral("%1: \"%2\" needs %3, has %4")
                                    .arg(label->objectName(), label->text())
                                    .arg(label->sizeHint().width())
                                    .arg(label->width())));
        }
        for (const QAbstractButton* button : s.window.findChildren<QAbstractButton*>()) {
            if (!button->isVisible() || button->text().isEmpty())
                continue;
            QVERIFY2(button->width() >= button->fontMetrics().horizontalAdvance(button->text()),
                     qPrintable(QStringLiteral("%1 \"%2\" has %3, its panel %4")
                                    .arg(button->objectName(), button->text())
                                    .arg(button->width())
                                    .arg(button->parentWidget()->width())));
            QVERIFY2(button->height() >= 24 && button->width() >= 24, qPrintable(button->objectName()));
        }
    }

private:
    QTemporaryDir m_dir;
};

QTEST_MAIN(TestDocks)
#include "tst_Docks.moc"
