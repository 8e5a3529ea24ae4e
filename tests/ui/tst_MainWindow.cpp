#include "tests/support/WindowStage.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include "ui/window/Actions.h"
#include "ui/window/MainWindow.h"
#include "ui/window/MessageBar.h"
#include "ui/window/WorkStrip.h"
#include <QAbstractButton>
#include <QAction>
#include <QApplication>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSettings>
#include <QSlider>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>
#include <QToolButton>
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

private:
    QTemporaryDir m_dir;
};

QTEST_MAIN(TestMainWindow)
#include "tst_MainWindow.moc"
