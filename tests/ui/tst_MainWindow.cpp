#include "core/export/Session.h"
#include "core/files/AtomicFile.h"
#include "core/files/Sha256.h"
#include "tests/support/TinyGguf.h"
#include "tests/support/TinySnapshot.h"
#include "tests/support/WindowStage.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include "ui/views/MapView.h"
#include "ui/window/Actions.h"
#include "ui/window/ArmPicker.h"
#include "ui/window/Docks.h"
#include "ui/window/Documents.h"
#include "ui/window/FileKind.h"
#include "ui/window/MainWindow.h"
#include "ui/window/MessageBar.h"
#include "ui/window/ModelCard.h"
#include "ui/window/Recovery.h"
#include "ui/window/RunWindow.h"
#include "ui/window/StatusLine.h"
#include "ui/window/WorkStrip.h"
#include <QAbstractButton>
#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QDir>
#include <QDockWidget>
#include <QDropEvent>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QMimeData>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScopeGuard>
#include <QSettings>
#include <QSignalSpy>
#include <QSlider>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>
#include <QToolButton>
#include <QUrl>
#include <atomic>
#include <set>

using namespace fovea;
using namespace fovea::ui;
using namespace fovea::test;

class TestMainWindow : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { keepSettingsIn(m_dir); }
    void init() {
        QSettings().clear();
        Theme::apply(Theme::light());
    }

    void actions_haveOneKeyInOnePlace() {
        std::map<std::pair<QString, QString>, std::string> taken;
        std::set<std::string> ids;
        for (const ActionSpec& action : actionSpecs()) {
            QVERIFY2(ids.insert(std::string(action.id)).second, std::string(action.id).c_str());
            QVERIFY2(!action.help.empty(), std::string(action.id).c_str());
            for (const QString& key : keysOf(action)) {
                const QString portable = QKeySequence(key).toString();
                QVERIFY2(!portable.isEmpty(), qPrintable(key));
                const auto [at, fresh] =
                    taken.emplace(std::pair(portable, QString::fromStdString(std::string(action.place))),
                                  std::string(action.id));
                QVERIFY2(fresh, qPrintable(QStringLiteral("%1: %2 and %3")
                                               .arg(portable, QString::fromStdString(at->second),
                                                    QString::fromStdString(std::string(action.id)))));
            }
        }
    }

    void everyAction_isInTheWindow() {
        Stage s;
        for (const ActionSpec& action : actionSpecs()) {
            if (action.place != "window")
                continue;
            QAction* made = s.window.action(action.id);
            QVERIFY2(made != nullptr, std::string(action.id).c_str());
            QCOMPARE(made->shortcuts().size(), static_cast<qsizetype>(keysOf(action).size()));
        }
    }

    void everyControl_hasAName() {
        Stage s;
        for (const QWidget* widget : s.window.findChildren<QWidget*>()) {
            const bool control = widget->inherits("QAbstractButton") || widget->inherits("QSlider") ||
                                 widget->inherits("QLineEdit") || widget->inherits("QComboBox");
            const QObject* parent = widget->parent();
            const bool inner =
                parent != nullptr && (parent->inherits("QComboBox") || parent->inherits("QAbstractSpinBox") ||
                                      parent->inherits("QTabBar") || parent->inherits("QToolBar") ||
                                      parent->inherits("QLineEdit") || parent->inherits("QTableView"));
            if (!control || inner)
                continue;
            QVERIFY2(
                !widget->objectName().isEmpty(),
                qPrintable(QStringLiteral("%1 in %2")
                               .arg(QLatin1String(widget->metaObject()->className()), parent->objectName())));
        }
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

    void theMapIsTheLargestThing_data() {
        QTest::addColumn<QSize>("size");
        QTest::addColumn<int>("least"); // pixels of a side of the square of cells
        QTest::newRow("1024x640") << QSize(1024, 640) << 260;
        QTest::newRow("1280x800") << QSize(1280, 800) << 520;
        QTest::newRow("1920x1080") << QSize(1920, 1080) << 720;
    }
    void theMapIsTheLargestThing() {
        QFETCH(QSize, size);
        QFETCH(int, least);
        Stage s;
        s.runs.adopt(test::tinySnapshot());
        s.window.resize(size);
        QTest::qWait(20);
        s.window.action("view.reset")->trigger();
        QTest::qWait(20);
        const QRectF plot = s.find<MapView>("map")->canvas().mapLayout().plots.front();
        QCOMPARE(plot.width(), plot.height());
        QVERIFY2(plot.width() >= least, qPrintable(QString::number(plot.width())));
        QVERIFY(s.find<QWidget>("map.legend")->isVisible());
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

    void palette_findsAndRuns() {
        Stage s;
        auto* field = s.find<QLineEdit>("palette.field");
        const auto choose = [&](const QString& typed) {
            QTest::keyClick(&s.window, Qt::Key_K, Qt::ControlModifier);
            QVERIFY(field->isVisible() && field->hasFocus());
            QTest::keyClicks(field, typed);
            QTest::keyClick(field, Qt::Key_Return);
            QVERIFY(!field->isVisible());
        };
        choose(QStringLiteral("window 64"));
        QCOMPARE(s.requests.request().policy.local.window, 64);
        choose(QStringLiteral("streamingllm"));
        QVERIFY(sameButName(s.requests.request().policy, *presetPolicy("streaming")));
        choose(QStringLiteral("undo"));
        QCOMPARE(s.requests.request().policy.local.window, 64);
        choose(QStringLiteral("sample lockers"));
        QVERIFY(s.text().starts_with("Register of the lockers"));
        // Sections that hide a parameter are opened for it.
        choose(QStringLiteral("parameter dilation"));
        QTRY_VERIFY(s.find<QWidget>("params.local.dilation")->isVisible());
        // A word that is nothing else is looked for in the text.
        choose(QStringLiteral("amber"));
        QVERIFY(s.find<QLineEdit>("text.search")->isVisible());
        QCOMPARE(s.find<QLineEdit>("text.search")->text(), QStringLiteral("amber"));
        // Esc closes it and gives the focus back.
        s.find<QWidget>("map.canvas")->setFocus();
        QTest::keyClick(&s.window, Qt::Key_K, Qt::ControlModifier);
        QTest::keyClick(field, Qt::Key_Escape);
        QVERIFY(!field->isVisible());
        QVERIFY(s.find<QWidget>("map.canvas")->hasFocus());
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

    /// Esc goes back one level wherever the focus is.
    void escClosesTheSearch() {
        Stage s;
        QTest::keyClick(&s.window, Qt::Key_F, Qt::ControlModifier);
        auto* search = s.find<QLineEdit>("text.search");
        QVERIFY(search->isVisible());
        s.find<QWidget>("map.canvas")->setFocus();
        s.selection.pin(1);
        QTest::keyClick(s.find<QWidget>("map.canvas"), Qt::Key_Escape);
        QVERIFY(!search->isVisible());
        QCOMPARE(s.selection.query(), 1); // only that
    }

    void aHintStandsBeforeAQuestionAndLeavesIt() {
        Stage s;
        auto* bar = s.find<MessageBar>("error.bar");
        int answered = 0;
        bar->show(MessageBar::Question, QStringLiteral("Question?"),
                  {{QStringLiteral("Yes"), [&] { ++answered; }}}, QStringLiteral("q"));
        bar->show(MessageBar::Hint, QStringLiteral("By the way."));
        QCOMPARE(s.find<QLabel>("error.bar.text")->text(), QStringLiteral("By the way."));
        QTest::mouseClick(s.find<QToolButton>("error.bar.close"), Qt::LeftButton);
        QCOMPARE(s.find<QLabel>("error.bar.text")->text(), QStringLiteral("Question?"));
        QTest::mouseClick(s.find<QPushButton>("error.bar.button.0"), Qt::LeftButton);
        QCOMPARE(answered, 1);
        QVERIFY(!bar->isVisible());
        bar->show(MessageBar::Question, QStringLiteral("Question?"), {}, QStringLiteral("q"));
        bar->show(MessageBar::Hint, QStringLiteral("By the way."));
        bar->clear(QStringLiteral("q"));
        bar->close();
        QVERIFY(!bar->isVisible());
    }

    /// Unsaved work is given up when the window has it, not before.
    void leftWork_staysUntilItIsTaken() {
        QTemporaryDir folder;
        const auto leave = [&](const std::string& session) {
            Recovery gone(folder.path(), [&] { return session; });
            QVERIFY(gone.write());
        };
        std::string good;
        {
            Stage s;
            s.window.documents().setText("typed and never saved", QStringLiteral("x"),
                                         QStringLiteral("typing"));
            good = s.window.documents().unsavedSession();
            QVERIFY(!good.empty());
        }
        leave(R"({"fovea":"session","version":99})");
        Stage s;
        Recovery mine(folder.path(), [&] { return s.window.documents().unsavedSession(); });
        offerLeftWork(s.window, mine);
        QTest::mouseClick(s.find<QPushButton>("error.bar.button.0"), Qt::LeftButton);
        QVERIFY(s.find<MessageBar>("error.bar")->isVisible()); // says why it is refused
        const auto left = mine.left();
        QVERIFY(left); // and is still there
        mine.discard(*left);
        QCoreApplication::sendPostedEvents(nullptr, QEvent::DeferredDelete); // the buttons of before
        leave(good);
        offerLeftWork(s.window, mine);
        QTest::mouseClick(s.find<QPushButton>("error.bar.button.0"), Qt::LeftButton);
        QCOMPARE(s.text(), std::string("typed and never saved"));
        QVERIFY(!mine.left());
        QCOMPARE(QDir(folder.path()).entryList({QStringLiteral("*.json")}, QDir::Files).size(), 1); // mine
    }

    void recentFiles_areOfferedAndTellWhatIsGone() {
        Stage s;
        const QString here = m_dir.filePath(QStringLiteral("a & b.txt"));
        const QString gone = m_dir.filePath(QStringLiteral("gone.txt"));
        for (const QString& path : {gone, here}) {
            QFile file(path);
            QVERIFY(file.open(QIODevice::WriteOnly));
            file.write("one two three");
            file.close();
            dropFiles(s, {path});
        }
        QVERIFY(QFile::remove(gone));
        auto* menu = s.find<QMenu>("menu.recent");
        emit menu->aboutToShow();
        QStringList shown;
        QAction* first = nullptr;
        for (QAction* action : menu->actions()) {
            if (action->isSeparator())
                continue;
            shown << action->text();
            if (first == nullptr)
                first = action;
        }
        QCOMPARE(shown.mid(0, 2),
                 (QStringList{QStringLiteral("a && b.txt"),
                              QStringLiteral("gone.txt: not found at %1").arg(QFileInfo(gone).path())}));
        s.window.documents().openSample();
        first->trigger();
        QCOMPARE(s.text(), std::string("one two three"));
    }

    void undo_byKey_afterASlider() {
        Stage s;
        auto* slider = s.find<QSlider>("params.local.window.slider");
        slider->setFocus();
        QTest::keyClick(slider, Qt::Key_Left);
        const std::int64_t moved = s.requests.request().policy.local.window;
        QVERIFY(moved < 128);
        QTest::keyClick(&s.window, Qt::Key_Z, Qt::ControlModifier);
        QCOMPARE(s.requests.request().policy.local.window, 128);
        QTest::keyClick(&s.window, Qt::Key_Z, Qt::ControlModifier | Qt::ShiftModifier);
        QCOMPARE(s.requests.request().policy.local.window, moved);
    }

    void theme_isSwitchedAndRemembered() {
        Stage s;
        s.window.action("view.themeDark")->trigger();
        QVERIFY(Theme::current().dark);
        QCOMPARE(QApplication::palette().color(QPalette::Window), Theme::darkTheme().window);
        QCOMPARE(QSettings().value(QStringLiteral("theme")).toString(), QStringLiteral("dark"));
        Stage again;
        QVERIFY(again.window.action("view.themeDark")->isChecked());
        s.window.action("view.themeLight")->trigger();
        QVERIFY(!Theme::current().dark);
    }

    void escape_goesBackOneLevelPerPress() {
        Stage s;
        s.selection.pinPair({3, 1});
        QTest::keyClick(&s.window, Qt::Key_Question);
        auto* sheet = s.find<QWidget>("keys.sheet");
        QVERIFY(sheet->isVisible());
        QTest::keyClick(&s.window, Qt::Key_Escape);
        QVERIFY(!sheet->isVisible());
        QVERIFY(s.selection.pinnedPair().valid());
        QTest::keyClick(&s.window, Qt::Key_Escape); // pair
        QVERIFY(!s.selection.pinnedPair().valid());
        QCOMPARE(s.selection.query(), 3);
        QTest::keyClick(&s.window, Qt::Key_Escape); // pins
        QCOMPARE(s.selection.query(), -1);
    }

    void hint_isShownOnce() {
        const char* const name = "hint.bar";
        Stage s;
        QVERIFY(s.find<QWidget>(name)->isVisible());
        QTest::mouseClick(s.find<QWidget>("hint.bar.close"), Qt::LeftButton);
        QVERIFY(!s.find<QWidget>(name)->isVisible());
        Stage again;
        QVERIFY(!again.find<QWidget>(name)->isVisible());
    }

    void drop_text_replacesAndUndoes() {
        Stage s;
        const std::string before = s.text();
        dropFiles(s, {file("words.txt", "three small words")});
        QCOMPARE(s.text(), std::string("three small words"));
        QCOMPARE(s.window.documents().textName(), QStringLiteral("words.txt"));
        s.requests.undoStack().undo();
        QCOMPARE(s.text(), before);
        QVERIFY(s.window.documents().textName() != QStringLiteral("words.txt"));
    }

    /// A drag of words into a text field, also one that began in it, is the field's; nothing is replaced.
    void dropOfText_onAField_goesIntoTheField() {
        Stage s;
        const std::string before = s.text();
        s.window.action("edit.text")->trigger();
        auto* editor = s.find<QPlainTextEdit>("text.editor");
        QVERIFY(editor->isVisible());
        QMimeData data;
        data.setText(QStringLiteral("dragged words"));
        const QPoint at(2, 2);
        QDragEnterEvent enter(at, Qt::CopyAction, &data, Qt::LeftButton, {});
        QApplication::sendEvent(editor->viewport(), &enter);
        QVERIFY(!s.find<QLabel>("drop.overlay")->isVisible());
        QDropEvent drop(at, Qt::CopyAction, &data, Qt::LeftButton, {});
        QApplication::sendEvent(editor->viewport(), &drop);
        QVERIFY(editor->toPlainText().contains(QStringLiteral("dragged words")));
        QCOMPARE(s.text(), before);
    }

    void dropOfNothing_isRefused() {
        Stage s;
        const std::string before = s.text();
        for (const bool emptyText : {false, true}) {
            QMimeData data;
            if (emptyText)
                data.setText(QString());
            QDragEnterEvent enter(QPoint(9, 9), Qt::CopyAction, &data, Qt::LeftButton, {});
            enter.ignore();
            QApplication::sendEvent(&s.window, &enter);
            QVERIFY(!enter.isAccepted());
            QDropEvent drop(QPoint(9, 9), Qt::CopyAction, &data, Qt::LeftButton, {});
            QApplication::sendEvent(&s.window, &drop);
            QCOMPARE(s.text(), before);
        }
    }

    /// Esc belongs to the field that is being edited before it belongs to the window.
    void escape_restoresAWrongField() {
        Stage s;
        s.selection.pin(3);
        auto* field = s.find<QLineEdit>("params.local.window.value");
        field->setFocus();
        field->selectAll();
        QTest::keyClicks(field, "ff16");
        QTest::keyClick(field, Qt::Key_Return);
        auto* error = s.find<QLabel>("params.local.window.error");
        QVERIFY(error->isVisible());
        QCOMPARE(error->text(),
                 QStringLiteral("window is \"ff16\"; a whole number from 0 up, or all, is accepted"));
        QTest::keyClick(field, Qt::Key_Escape);
        QCOMPARE(field->text(), QStringLiteral("128"));
        QVERIFY(!error->isVisible());
        QCOMPARE(s.selection.query(), 3); // the pin stays
        field->selectAll();
        QTest::keyClicks(field, "77"); // not yet taken
        QTest::keyClick(field, Qt::Key_Escape);
        QCOMPARE(field->text(), QStringLiteral("128"));
        QCOMPARE(s.selection.query(), 3);
        QTest::keyClick(field, Qt::Key_Escape); // nothing left to restore: the window's
        QCOMPARE(s.selection.query(), -1);
    }

    void escape_endsEditingTheText() {
        Stage s;
        s.selection.pin(3);
        const std::string before = s.text();
        QTest::keyClick(&s.window, Qt::Key_F2);
        auto* editor = s.find<QPlainTextEdit>("text.editor");
        QVERIFY(editor->isVisible());
        QTest::keyClicks(editor, "x");
        const int layer = s.selection.layer();
        QTest::keyClick(editor, Qt::Key_PageDown); // moves the cursor, not the layer
        QCOMPARE(s.selection.layer(), layer);
        QTest::keyClick(editor, Qt::Key_Escape);
        QVERIFY(!editor->isVisible());
        QCOMPARE(s.text(), before);
        QCOMPARE(s.selection.query(), 3);
    }

    /// An old complaint goes when the row's value is changed by another way.
    void wrongField_isForgottenWithTheNextChange() {
        Stage s;
        auto* field = s.find<QLineEdit>("params.local.window.value");
        field->setFocus();
        field->selectAll();
        QTest::keyClicks(field, "-5");
        QTest::keyClick(field, Qt::Key_Return);
        auto* error = s.find<QLabel>("params.local.window.error");
        QVERIFY(error->isVisible());
        s.requests.setParam(*findParam("sinks"), ParamValue(std::int64_t{9}));
        QVERIFY(!error->isVisible());
        QCOMPARE(field->text(), QStringLiteral("128"));
    }

    /// A selected layer that the next model lacks is not asked of it, and is selected again with a model that
    /// has it.
    void smallerModel_getsNoLayerThatItLacks() {
        const QString small = file("small.gguf", QByteArray::fromStdString(tinyModel(2).bytes()));
        const QString large = file("large.gguf", QByteArray::fromStdString(tinyModel(4).bytes()));
        Stage s{LatestWorker::Runner{}};
        s.selection.setCell(12, 5); // as at the first launch
        s.window.documents().setText("abc ab a b c abc", QStringLiteral("text"), QStringLiteral("test"));
        const auto run = [&](const QString& path, int layers) {
            s.window.documents().openModel(path);
            return QTest::qWaitFor(
                [&] {
                    return s.runs.snapshot() && s.runs.snapshot()->model &&
                           s.runs.snapshot()->model->shape.layers == layers && !s.runs.updating();
                },
                60'000);
        };
        QVERIFY(run(small, 2));
        QCOMPARE(s.selection.layer(), 1);
        QCOMPARE(s.selection.head(), 1);
        QVERIFY(run(large, 4));
        s.selection.setCell(3, 0);
        QVERIFY(run(small, 2));
        QCOMPARE(s.selection.layer(), 1);
        QVERIFY(run(large, 4));
        QCOMPARE(s.selection.layer(), 3);
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

    void drop_rubbish_isRefusedInOneLine_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("says");
        QTest::newRow("zero bytes") << QByteArray("ab\0cd", 5) << QStringLiteral("zero bytes");
        QTest::newRow("broken policy")
            << QByteArray(R"({"fovea":"policy","version":1,"local":{"window":-3}})")
            << QStringLiteral("window");
        QTest::newRow("empty file") << QByteArray() << QStringLiteral("empty");
        QTest::newRow("unknown key") << QByteArray(R"({"fovea":"policy","version":1,"loco":{}})")
                                     << QStringLiteral("loco");
        QTest::newRow("broken session")
            << QByteArray(R"({"fovea":"session","version":1,)") << QStringLiteral("rubbish");
    }
    void drop_rubbish_isRefusedInOneLine() {
        QFETCH(QByteArray, bytes);
        QFETCH(QString, says);
        Stage s;
        const Request before = s.requests.request();
        dropFiles(s, {file("rubbish.bin", bytes)});
        auto* bar = s.find<MessageBar>("error.bar");
        QTRY_VERIFY(bar->isVisible());
        const QString said = s.find<QLabel>("error.bar.text")->text();
        QVERIFY2(said.contains(says), qPrintable(said));
        QCOMPARE(s.text(), *before.text);
        QVERIFY(s.requests.request().policy == before.policy);
        QTest::mouseClick(s.find<QWidget>("error.bar.close"), Qt::LeftButton);
        QVERIFY(!bar->isVisible());
    }

    void drop_brokenModel_leavesTheCardWithItsReason() {
        Stage s;
        s.requests.setModelPath("old.gguf");
        dropFiles(s, {file("broken.gguf", QByteArray("GGUF\3\0\0\0", 8))});
        auto* card = s.find<ModelCard>("model.card");
        QTRY_VERIFY(card->isVisible());
        QVERIFY(!s.find<QLabel>("model.card.error")->text().isEmpty());
        QCOMPARE(s.requests.request().modelPath, std::string("old.gguf"));
        QTest::keyClick(&s.window, Qt::Key_Escape);
        QVERIFY(!card->isVisible());
    }

    /// The card of a large model does not wait for its hash. The hash is cancelled by its button, by another
    /// model and by leaving.
    void model_hashOfALargeFile_holdsNothingUp() {
        // A whole model with nothing after it for hours of hashing: a sparse file.
        const QString path = m_dir.filePath(QStringLiteral("huge.gguf"));
        QVERIFY(writeFileAtomically(path.toStdString(), tinyModel().bytes()));
        QVERIFY(QFile::resize(path, qint64{1} << 40));
        const QString small = file("small.gguf", QByteArray::fromStdString(tinyModel().bytes()));
        Stage s;
        Documents& documents = s.window.documents();
        QSignalSpy told(&documents, &Documents::hashProgressed);
        QSignalSpy hashed(&documents, &Documents::modelHashed);
        documents.openModel(path);
        QTRY_VERIFY(documents.inspected());
        QVERIFY(documents.inspected()->info.sha256.empty());
        QTest::mouseClick(s.find<QToolButton>("top.model"), Qt::LeftButton);
        QVERIFY(s.find<ModelCard>("model.card")->isVisible());
        QCOMPARE(s.find<QLabel>("model.card.sha256")->text(), QStringLiteral("being computed"));
        QTRY_VERIFY(!told.isEmpty());
        auto* strip = s.find<WorkStrip>("work.strip");
        QVERIFY(strip->running(QStringLiteral("hash")));
        auto* cancel = s.find<QPushButton>("work.cancel.hash");
        QTRY_VERIFY(cancel->isVisible());
        QTest::mouseClick(cancel, Qt::LeftButton);
        QTRY_COMPARE(hashed.size(), 1);
        QVERIFY(!strip->running(QStringLiteral("hash")));
        QCOMPARE(s.find<QLabel>("model.card.sha256")->text(), QStringLiteral("cancelled"));
        told.clear();
        documents.openModel(path);
        QTRY_VERIFY(!told.isEmpty());
        documents.openModel(small);
        QTRY_COMPARE(hashed.size(), 2);
        QCOMPARE(documents.inspected()->info.path, small.toStdString());
        QCOMPARE(documents.inspected()->info.sha256, sha256Hex(tinyModel().bytes()));
        QVERIFY(!strip->running(QStringLiteral("hash")));
        told.clear();
        documents.openModel(path); // and leaving does not wait for it
        QTRY_VERIFY(!told.isEmpty());
        QVERIFY(QFile::remove(path));
    }

    /// Before the hash is there a session is saved without it, with a word, and a session is not yet
    /// compared. The runner keeps the engine thread busy until the gate opens, and the hash waits behind it.
    void model_hashComesLater() {
        const QString path = file("tiny.gguf", QByteArray::fromStdString(tinyModel().bytes()));
        const QString saved = m_dir.filePath(QStringLiteral("early.json"));
        const QString foreign = m_dir.filePath(QStringLiteral("foreign.json"));
        const std::string sha256 = sha256Hex(tinyModel().bytes());
        const auto hashIn = [](const QString& session) {
            const auto bytes = readWholeFile(session.toStdString(), 1 << 20);
            return sessionFromJson(*bytes)->modelSha256;
        };
        std::atomic<bool> gate{false};
        Stage s{echo([&gate](const Request&) { gate.wait(false); })};
        const auto open = [&gate] {
            gate = true;
            gate.notify_all();
        };
        const auto atTheEnd = qScopeGuard(open);
        Documents& documents = s.window.documents();
        QSignalSpy hashed(&documents, &Documents::modelHashed);
        documents.openModel(path);
        QTRY_VERIFY(documents.inspected());
        QVERIFY(documents.inspected()->info.sha256.empty());
        auto* bar = s.find<MessageBar>("error.bar");
        auto* said = s.find<QLabel>("error.bar.text");
        documents.saveSession(saved);
        QVERIFY(bar->isVisible());
        QVERIFY2(said->text().contains(QStringLiteral("early.json is saved without the SHA-256")),
                 qPrintable(said->text()));
        QVERIFY(hashIn(saved).empty());
        Session session;
        session.request = s.requests.request();
        session.modelSha256 = std::string(64, 'd');
        QVERIFY(writeFileAtomically(foreign.toStdString(), sessionToJson(session)));
        documents.open({foreign});
        QVERIFY(!bar->isVisible());
        QTest::mouseClick(s.find<QToolButton>("top.model"), Qt::LeftButton);
        QCOMPARE(hashed.size(), 0);

        open();
        QTRY_COMPARE(hashed.size(), 1);
        QCOMPARE(documents.inspected()->info.sha256, sha256);
        QCOMPARE(s.find<QLabel>("model.card.sha256")->text().remove(QLatin1Char('\n')).toStdString(), sha256);
        QVERIFY(bar->isVisible());
        QVERIFY2(said->text().contains(QStringLiteral("dddddddd")), qPrintable(said->text()));
        documents.saveSession(saved);
        QVERIFY(!bar->isVisible());
        QCOMPARE(hashIn(saved), sha256);
    }

    /// A run that loads the model tells its hash, so the file is not read for it once more. The runner keeps
    /// the engine thread after the run, so that no question of the hash can have been answered.
    void model_hashComesFromTheRun() {
        const QString path = file("tiny.gguf", QByteArray::fromStdString(tinyModel().bytes()));
        std::atomic<bool> gate{false};
        LatestWorker::Runner runner;
        runner.run = [&gate, engine = std::make_shared<Engine>()](
                         const Request& request, const Engine::Deliver& deliver, const WorkContext& work) {
            auto done = engine->run(request, deliver, work);
            gate.wait(false);
            return done;
        };
        Stage s{runner};
        const auto atTheEnd = qScopeGuard([&gate] {
            gate = true;
            gate.notify_all();
        });
        Documents& documents = s.window.documents();
        QSignalSpy hashed(&documents, &Documents::modelHashed);
        documents.setText("abcabcabab", QStringLiteral("x"), QStringLiteral("typing"));
        documents.openModel(path);
        QTRY_COMPARE(hashed.size(), 1);
        QCOMPARE(documents.inspected()->info.sha256, sha256Hex(tinyModel().bytes()));
    }

    void drop_policy_becomesB() {
        Stage s;
        dropFiles(s, {file("p.json", R"({"fovea":"policy","version":1,"local":{"window":33}})")});
        QCOMPARE(s.requests.request().policy.local.window, 33);
        QVERIFY(s.find<ArmPicker>("top.b")->title().contains(QStringLiteral("33")));
    }

    void fileKind_goesByBytesNotByName() {
        QCOMPARE(fileKind(file("b.txt", QByteArray("GGUF\3\0\0\0", 8))).kind, FileKind::Model);
        QCOMPARE(fileKind(file("b2.txt", "GGUF is a format.")).kind, FileKind::Text);
        QCOMPARE(fileKind(file("empty.txt", "")).kind, FileKind::Refused);
        for (const auto& [name, bytes] :
             {std::pair("text.gguf", "plain words"), std::pair("plain.json", R"({"other": 1})")}) {
            const FileKind kind = fileKind(file(name, bytes));
            QCOMPARE(kind.kind, FileKind::Text);
            QVERIFY2(kind.surprise.startsWith(QString::fromUtf8(name)),
                     qPrintable(kind.surprise)); // not without a word
        }
        QCOMPARE(fileKind(file("c.txt", R"(  {"fovea": "session"})")).kind, FileKind::Session);
        QCOMPARE(fileKind(file("d.txt", R"({"other": 1})")).kind, FileKind::Text);
        QCOMPARE(fileKind(m_dir.filePath(QStringLiteral("absent"))).kind, FileKind::Refused);
        QCOMPARE(fileKind(m_dir.path()).kind, FileKind::Refused);
    }

    void paste_replacesTheText() {
        Stage s;
        QApplication::clipboard()->setText(QStringLiteral("from the clipboard"));
        s.window.setFocus();
        QTest::keyClick(&s.window, Qt::Key_V, Qt::ControlModifier);
        QCOMPARE(s.text(), std::string("from the clipboard"));
    }

    void session_savesAndOpensAgain() {
        const QString path = m_dir.filePath(QStringLiteral("one.json"));
        {
            Stage s;
            s.window.documents().setText("kept words", QStringLiteral("x"), QStringLiteral("typing"));
            s.requests.setParam(*findParam("window"), ParamValue(std::int64_t{17}));
            s.selection.setCell(3, 1);
            s.window.documents().saveSession(path);
            QVERIFY(!s.window.documents().dirty());
            s.requests.setParam(*findParam("window"), ParamValue(std::int64_t{18}));
            QVERIFY(s.window.isWindowModified());
            QTest::keyClick(&s.window, Qt::Key_S, Qt::ControlModifier); // to the same file
            QVERIFY(!s.window.isWindowModified());
        }
        Stage s;
        s.window.documents().open({path});
        QCOMPARE(s.text(), std::string("kept words"));
        QCOMPARE(s.requests.request().policy.local.window, 18);
        QCOMPARE(s.selection.layer(), 3);
        QCOMPARE(s.selection.head(), 1);
        QVERIFY(!s.window.isWindowModified());
    }

    void session_ofABidirectionalPolicy_isRefusedAndChangesNothing() {
        const QString path = m_dir.filePath(QStringLiteral("both.json"));
        Session session;
        session.request.policy = *presetPolicy("bigbird-parity");
        QFile file(path);
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(QByteArray::fromStdString(sessionToJson(session)));
        file.close();
        Stage s;
        const AttentionPolicy before = s.requests.request().policy;
        s.window.documents().open({path});
        QVERIFY(s.requests.request().policy == before);
    }

    void session_ofAnotherModel_saysSoAndGoesOn() {
        const QString path = m_dir.filePath(QStringLiteral("tiny.gguf"));
        QVERIFY(writeFileAtomically(path.toStdString(), tinyModel().bytes()));
        const QString saved = m_dir.filePath(QStringLiteral("other-model.json"));
        Stage s;
        s.window.documents().openModel(path);
        QTRY_VERIFY(s.window.documents().inspected() &&
                    !s.window.documents().inspected()->info.sha256.empty());
        const std::string mine = s.window.documents().inspected()->info.sha256;
        s.window.documents().saveSession(saved);
        auto* bar = s.find<MessageBar>("error.bar");
        s.window.documents().open({saved});
        QVERIFY(!bar->isVisible()); // the same model: nothing to say
        auto bytes = readWholeFile(saved.toStdString(), 1 << 20);
        QVERIFY(bytes);
        const std::string other(64, 'd');
        bytes->replace(bytes->find(mine), mine.size(), other);
        QVERIFY(writeFileAtomically(saved.toStdString(), *bytes));
        s.window.documents().open({saved});
        QVERIFY(bar->isVisible());
        const QString said = s.find<QLabel>("error.bar.text")->text();
        QVERIFY2(said.contains(QStringLiteral("dddddddd")) &&
                     said.contains(QString::fromStdString(mine.substr(0, 8))) &&
                     said.contains(QStringLiteral("tiny.gguf")),
                 qPrintable(said));
        QTest::mouseClick(s.find<QPushButton>("error.bar.button.0"), Qt::LeftButton); // go on
        QVERIFY(!bar->isVisible());
        QCOMPARE(s.requests.request().modelPath, path.toStdString());
    }

    /// A session's pin is of its own text and model and survives their arrival.
    void session_keepsItsPin() {
        const QString path = m_dir.filePath(QStringLiteral("tiny.gguf"));
        QVERIFY(writeFileAtomically(path.toStdString(), tinyModel().bytes()));
        const QString saved = m_dir.filePath(QStringLiteral("pinned.json"));
        {
            Stage s{LatestWorker::Runner{}};
            s.window.documents().setText("abcabcabab", QStringLiteral("x"), QStringLiteral("typing"));
            s.window.documents().openModel(path);
            QTRY_VERIFY(s.runs.lastComplete() && !s.runs.updating());
            s.selection.pin(2);
            s.window.documents().saveSession(saved);
            s.window.documents().setText("cccccccccc", QStringLiteral("y"), QStringLiteral("typing"));
            QCOMPARE(s.selection.query(), -1); // another text: the pin would mean another word
            QTRY_VERIFY(s.runs.lastComplete() && !s.runs.updating());
            s.window.documents().open({saved});
            QTRY_VERIFY(s.runs.lastComplete() && !s.runs.updating());
            QCOMPARE(s.selection.query(), 2);
        }
        Stage s{LatestWorker::Runner{}}; // and where the model comes after the session
        s.window.documents().open({saved});
        QTRY_VERIFY(s.runs.lastComplete() && !s.runs.updating());
        QCOMPARE(s.selection.query(), 2);
    }

    void longText_isEstimatedByItsTokenizer() {
        const QString path = m_dir.filePath(QStringLiteral("tiny.gguf"));
        QVERIFY(writeFileAtomically(path.toStdString(), tinyModel().bytes()));
        Stage s;
        std::string text;
        while (text.size() < 90'000)
            text += "abc"; // one token each
        s.window.documents().setText(text, QStringLiteral("long"), QStringLiteral("typing"));
        auto* said = s.find<QLabel>("error.bar.text");
        QVERIFY2(!said->text().contains(QStringLiteral("about")),
                 qPrintable(said->text())); // nobody knows yet
        s.window.documents().openModel(path);
        QTRY_VERIFY(s.window.documents().inspected());
        s.window.documents().setText(text + "a", QStringLiteral("long"), QStringLiteral("typing"));
        QVERIFY2(said->text().contains(QStringLiteral("about 30,0")), qPrintable(said->text()));
    }

    void status_ofAnotherLength_isNotShown() {
        const QString path = m_dir.filePath(QStringLiteral("tiny.gguf"));
        QVERIFY(writeFileAtomically(path.toStdString(), tinyModel().bytes()));
        Stage s{LatestWorker::Runner{}};
        s.window.documents().setText("abcabcabababcabbacab", QStringLiteral("x"), QStringLiteral("typing"));
        s.requests.setMaxTokens(5, QStringLiteral("length"));
        s.window.documents().openModel(path);
        QTRY_VERIFY(s.runs.lastComplete() && !s.runs.updating());
        auto* status = s.find<StatusLine>("status");
        const QString five = status->sentence();
        QVERIFY2(five.startsWith(QStringLiteral("propagated")) && !five.contains(QStringLiteral("...")),
                 qPrintable(five));
        s.requests.setMaxTokens(0, QStringLiteral("all"));
        const QString waiting = status->sentence(); // before anything of the new length is there
        QVERIFY2(waiting.contains(QStringLiteral("KL ...")) &&
                     waiting.contains(QStringLiteral("B costs ...")) &&
                     waiting.contains(QStringLiteral("kept mass ...")),
                 qPrintable(waiting));
        QTRY_VERIFY(s.runs.lastComplete() && !s.runs.updating());
        QVERIFY(!status->sentence().contains(QStringLiteral("...")));
    }

    void session_unwritable_saysWhy() {
        Stage s;
        s.window.documents().saveSession(m_dir.filePath(QStringLiteral("no/such/folder/x.json")));
        QVERIFY(s.find<MessageBar>("error.bar")->isVisible());
        QVERIFY(s.find<QLabel>("error.bar.text")->text().contains(QStringLiteral("no/such/folder")));
    }

    void close_withUnsavedChanges_asksInTheWindow() {
        Stage s;
        s.window.documents().saveSession(m_dir.filePath(QStringLiteral("two.json")));
        s.requests.setParam(*findParam("window"), ParamValue(std::int64_t{18}));
        QVERIFY(!s.window.close());
        QVERIFY(s.window.isVisible());
        auto* bar = s.find<MessageBar>("error.bar");
        QVERIFY(bar->isVisible());
        QTest::mouseClick(s.find<QPushButton>("error.bar.button.0"), Qt::LeftButton); // save
        QTRY_VERIFY(!s.window.isVisible());
        const auto saved = readWholeFile(m_dir.filePath(QStringLiteral("two.json")).toStdString(), 1 << 20);
        QVERIFY(saved);
        QVERIFY(QByteArray::fromStdString(*saved).contains("\"window\": 18"));
    }

    /// A text that is in no file is not lost with the window.
    void close_withTextThatIsInNoFile_asks_data() {
        QTest::addColumn<QString>("how");
        for (const char* how : {"pasted", "typed", "being typed"})
            QTest::newRow(how) << QString::fromLatin1(how);
    }
    void close_withTextThatIsInNoFile_asks() {
        QFETCH(QString, how);
        Stage s;
        if (how == QLatin1String("pasted")) {
            QApplication::clipboard()->setText(QStringLiteral("from the clipboard"));
            s.window.action("file.paste")->trigger();
        } else {
            s.window.action("edit.text")->trigger();
            auto* editor = s.find<QPlainTextEdit>("text.editor");
            editor->selectAll();
            QTest::keyClicks(editor, "my words");
            if (how == QLatin1String("typed"))
                QTest::mouseClick(s.find<QWidget>("text.apply"), Qt::LeftButton);
        }
        QVERIFY(!s.window.close());
        QVERIFY(s.window.isVisible());
        QVERIFY(s.find<MessageBar>("error.bar")->isVisible());
        QCOMPARE(s.text(), how == QLatin1String("pasted") ? "from the clipboard" : "my words");
        QTest::mouseClick(s.find<QPushButton>("error.bar.button.1"), Qt::LeftButton); // without saving
        QTRY_VERIFY(!s.window.isVisible());
    }

    void close_withAFileOrTheSample_asksNothing() {
        for (const bool sample : {false, true}) {
            Stage s;
            if (!sample)
                s.window.documents().open({file("kept.txt", "kept in a file")});
            s.requests.setParam(*findParam("window"), ParamValue(std::int64_t{18}));
            QVERIFY(s.window.close());
        }
    }

    void session_keepsNameOfTextPinsAndMap() {
        const QString path = m_dir.filePath(QStringLiteral("view.json"));
        {
            Stage s;
            s.window.documents().open({file("notes.txt", "some words of a file")});
            s.selection.pin(5);
            s.selection.togglePin(2);
            s.selection.togglePin(9);
            s.selection.togglePin(4);
            s.find<MapView>("map")->setMode(MapQuantity::Kept);
            s.find<MapView>("map")->setLogarithmic(false);
            s.window.documents().saveSession(path);
        }
        Stage s;
        s.window.documents().open({path});
        QCOMPARE(s.window.documents().textName(), QStringLiteral("notes.txt"));
        QCOMPARE(s.selection.pins(), (std::set<int>{2, 4, 5, 9}));
        QCOMPARE(s.selection.query(), 4);
        QCOMPARE(s.find<MapView>("map")->mode(), MapQuantity::Kept);
        QVERIFY(!s.find<MapView>("map")->exportOptions().logarithmic);
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

    void longText_runsItsFirstTokens_andAsks() {
        Stage s;
        s.window.documents().setText(std::string(200'000, 'a'), QStringLiteral("long"),
                                     QStringLiteral("open"));
        QCOMPARE(s.requests.request().maxTokens, std::size_t{4096});
        QTest::mouseClick(s.find<QPushButton>("error.bar.button.1"), Qt::LeftButton); // all
        QCOMPARE(s.requests.request().maxTokens, std::size_t{0});
    }

    void noModel_textAndParametersWork() {
        Stage s;
        s.window.showModelMissing(QStringLiteral("no model is cached"));
        QVERIFY(s.find<MessageBar>("error.bar")->isVisible());
        QVERIFY(!s.runs.updating());
        s.requests.setParam(*findParam("window"), ParamValue(std::int64_t{64}));
        QCOMPARE(s.find<QLineEdit>("params.local.window.value")->text(), QStringLiteral("64"));
        QVERIFY(!s.runs.updating());
    }

    void workLine_tellsTimeOnlyWhenItKnows() {
        QCOMPARE(WorkStrip::line(QStringLiteral("reading weights"), 61, 100'000, 500),
                 QStringLiteral("reading weights 0 %"));
        QCOMPARE(WorkStrip::line(QStringLiteral("reading weights"), 61'000, 100'000, 500),
                 QStringLiteral("reading weights 61 %"));
        QCOMPARE(WorkStrip::line(QStringLiteral("full run"), 15, 30, 2000),
                 QStringLiteral("full run 15 of 30, about 2 s left"));
        QCOMPARE(WorkStrip::line(QStringLiteral("full run"), 29.9, 30, 2000),
                 QStringLiteral("full run 29 of 30, about 1 s left")); // never 0
        QCOMPARE(WorkStrip::line(QStringLiteral("x"), 0, 0, 9000), QStringLiteral("x"));
    }

    void cancelButtons_sayWhatTheyCancel() {
        WorkStrip strip;
        strip.show();
        for (const char* job : {"run", "sweep", "model"})
            strip.start(QLatin1String(job), QLatin1String(job));
        QTRY_COMPARE(strip.findChildren<QPushButton*>().size(), 3);
        QSet<QString> texts;
        for (const QPushButton* button : strip.findChildren<QPushButton*>())
            texts << button->text();
        QCOMPARE(texts, (QSet<QString>{QStringLiteral("Cancel run"), QStringLiteral("Cancel sweep"),
                                       QStringLiteral("Cancel model")}));
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
    QString file(const char* name, const QByteArray& bytes) {
        const QString path = m_dir.filePath(QLatin1String(name));
        QFile out(path);
        if (!out.open(QIODevice::WriteOnly) || out.write(bytes) != bytes.size())
            qFatal("cannot write %s", name);
        return path;
    }
    QTemporaryDir m_dir;
};

QTEST_MAIN(TestMainWindow)
#include "tst_MainWindow.moc"
