// Lessons in the window: opened from the menu and worked through by keyboard alone, with real key events.
#include "core/lesson/Lesson.h"
#include "core/policy/ParamSpec.h"
#include "tests/support/WindowStage.h"
#include "ui/lesson/ChoiceButton.h"
#include "ui/lesson/CostBar.h"
#include "ui/lesson/FocusRing.h"
#include "ui/lesson/Learn.h"
#include "ui/lesson/LessonPlayer.h"
#include "ui/lesson/LessonWords.h"
#include "ui/lesson/RowStory.h"
#include <QAction>
#include <QDockWidget>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QTextBlock>

using namespace fovea;
using namespace fovea::ui;
using namespace fovea::test;

namespace {

/// The key goes to whatever has the focus, as from a keyboard.
void press(Qt::Key key, Qt::KeyboardModifiers with = Qt::NoModifier) {
    QWidget* focus = QApplication::activePopupWidget() != nullptr ? QApplication::activePopupWidget()
                                                                  : QApplication::focusWidget();
    QVERIFY(focus != nullptr);
    QTest::keyClick(focus, key, with);
}

void openLesson(Stage& s, int number) {
    QApplication::setActiveWindow(&s.window);
    s.window.setFocus();
    QTest::keyClick(&s.window, Qt::Key_L, Qt::AltModifier);
    QTRY_VERIFY(QApplication::activePopupWidget() != nullptr);
    QCOMPARE(QApplication::activePopupWidget()->objectName(), QStringLiteral("menu.Learn"));
    press(static_cast<Qt::Key>(Qt::Key_0 + number));
    QTRY_VERIFY(s.find<QDockWidget>("dock.lesson")->isVisible());
}

/// Does what the step asks, with keys, and goes on. `guess`: what is typed where a number is asked for.
void stepByKeys(Stage& s, LessonPlayer& player, const QString& guess) {
    const int at = player.stepIndex();
    const lesson::LessonStep& step = player.step();
    if (step.question && player.reply() == nullptr) {
        if (step.question->choices.empty()) {
            QCOMPARE(QApplication::focusWidget()->objectName(), QStringLiteral("lesson.number"));
            QTest::keyClicks(QApplication::focusWidget(), guess);
            press(Qt::Key_Return);
        } else {
            QCOMPARE(QApplication::focusWidget()->objectName(), QStringLiteral("lesson.choice.0"));
            press(Qt::Key_Down);
            QCOMPARE(QApplication::focusWidget()->objectName(), QStringLiteral("lesson.choice.1"));
            press(Qt::Key_Space);
        }
        QVERIFY(player.reply() != nullptr || !player.waitsFor().isEmpty());
        if (player.reply() != nullptr)
            QVERIFY(s.find<LessonWords>("lesson.verdict")->isVisible());
    }
    if (step.gesture) {
        QTRY_COMPARE(QApplication::focusWidget()->objectName(), QStringLiteral("lesson.show"));
        QVERIFY(!player.gestureDone());
        press(Qt::Key_Space);
        QVERIFY(player.gestureDone());
    }
    if (step.question && player.reply() == nullptr)
        press(Qt::Key_Right, Qt::AltModifier); // a number that waits for a model does not stop the lesson
    else
        press(Qt::Key_Space);
    QCOMPARE(player.stepIndex(), at + 1);
}

} // namespace

class TestLessonView : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { keepSettingsIn(m_dir); }
    void init() { QSettings().clear(); }

    void lessonsOneToThree_byKeyboardAlone_data() {
        QTest::addColumn<int>("number");
        for (int number : {1, 2, 3})
            QTest::addRow("lesson %d", number) << number;
    }
    void lessonsOneToThree_byKeyboardAlone() {
        QFETCH(int, number);
        Stage s;
        LessonPlayer& player = s.window.findChild<Learn*>()->player();
        const QByteArray before = s.window.saveState();
        openLesson(s, number);
        QVERIFY(player.running());
        QCOMPARE(player.number(), number);
        QCOMPARE(s.text(), *player.current()->text.bytes);
        const auto steps = static_cast<int>(player.current()->steps.size());
        for (int step = 0; step + 1 < steps; ++step) {
            QVERIFY(s.find<QLabel>("lesson.title")->text().size() > 3);
            QVERIFY(!s.find<LessonWords>("lesson.say")->toPlainText().contains(QLatin1Char('{')));
            stepByKeys(s, player, QStringLiteral("237"));
            if (QTest::currentTestFailed())
                return;
        }
        QVERIFY(player.atEnd());
        const QString entry = QStringLiteral("learn.") + QString::fromStdString(player.current()->id);
        press(Qt::Key_Backspace);
        QCOMPARE(player.stepIndex(), steps - 2);
        press(Qt::Key_Space);
        press(Qt::Key_Space); // past the end: the window is the learner's again
        QVERIFY(!player.running());
        QVERIFY(!s.find<QDockWidget>("dock.lesson")->isVisible());
        QVERIFY(s.find<QDockWidget>("dock.params")->isVisible());
        QVERIFY(s.find<QDockWidget>("dock.inspector")->isVisible());
        QVERIFY(s.find<QAction>(entry.toUtf8().constData())->isChecked());
        static_cast<void>(before);
    }

    void answers_areCountedAndWrongOnesMetWithTheCount() {
        Stage s;
        LessonPlayer& player = s.window.findChild<Learn*>()->player();
        openLesson(s, 3);
        press(Qt::Key_Space);
        QCOMPARE(player.stepIndex(), 1);
        QTest::keyClicks(QApplication::focusWidget(), QStringLiteral("#236"));
        press(Qt::Key_Return);
        QVERIFY(player.reply() != nullptr && !player.reply()->right);
        const QString verdict = s.find<LessonWords>("lesson.verdict")->toPlainText();
        QVERIFY2(verdict.startsWith(QStringLiteral("You said #236; counted are #237.")), qPrintable(verdict));
        QVERIFY2(verdict.contains(QStringLiteral("64 tokens")), qPrintable(verdict));
        QVERIFY(!s.find<QLineEdit>("lesson.number")->isEnabled());
        press(Qt::Key_Space);
        press(Qt::Key_Space); // show me
        press(Qt::Key_Space);
        press(Qt::Key_Space);
        QCOMPARE(player.stepIndex(), 4); // the share
        press(Qt::Key_3);
        QVERIFY(player.reply() != nullptr && player.reply()->right);
        QCOMPARE(s.find<ChoiceButton>("lesson.choice.2")->verdict(), ChoiceButton::Verdict::Right);
        QVERIFY(
            s.find<LessonWords>("lesson.verdict")->toPlainText().startsWith(QStringLiteral("Yes. 30,752")));
        QVERIFY2(s.find<CostBar>("lesson.cost")->sentence().contains(QStringLiteral("here 30,752 (23.4 %)")),
                 qPrintable(s.find<CostBar>("lesson.cost")->sentence()));
    }

    void wordsAndTokens_lightEachOther() {
        Stage s;
        openLesson(s, 3);
        auto* say = s.find<LessonWords>("lesson.say");
        emit say->tokenHovered(300); // what resting on the word reports
        QCOMPARE(s.selection.hovered(), 300);
        // The word is lit: some character of it has a background now.
        bool lit = false;
        for (QTextBlock block = say->document()->begin(); block.isValid(); block = block.next())
            for (auto part = block.begin(); !part.atEnd(); ++part)
                lit = lit || (part.fragment().charFormat().anchorHref() == QStringLiteral("300") &&
                              part.fragment().charFormat().hasProperty(QTextFormat::BackgroundBrush));
        QVERIFY(lit);
        emit say->tokenChosen(300);
        QCOMPARE(s.selection.query(), 300);
        s.selection.hover(5); // from the window
        QCOMPARE(s.selection.hovered(), 5);
    }

    void gestures_areSeenWhereverTheyAreMade() {
        Stage s;
        LessonPlayer& player = s.window.findChild<Learn*>()->player();
        openLesson(s, 3);
        player.goTo(2);
        QVERIFY(!player.gestureDone());
        s.requests.setParam(*findParam("local.window"), std::int64_t{65});
        QVERIFY(!player.gestureDone());
        s.requests.setParam(*findParam("local.window"), std::int64_t{64});
        QVERIFY(player.gestureDone());
        QVERIFY(!s.find<QPushButton>("lesson.show")->isEnabled());
        // The frame is around the row that the step names, as long as it is visible.
        auto* ring = s.find<FocusRing>("lesson.ring");
        QCOMPARE(ring->target(), s.find<QWidget>("params.local.window"));
        QTRY_VERIFY(ring->isVisible());
        player.next();
        QTRY_VERIFY(ring->target() != s.find<QWidget>("params.local.window"));
    }

    void leaving_keepsThePlace() {
        Stage s;
        LessonPlayer& player = s.window.findChild<Learn*>()->player();
        openLesson(s, 2);
        player.goTo(3);
        QCOMPARE(s.requests.request().maxTokens, 1024U);
        QTest::mouseClick(s.find<QPushButton>("lesson.explore"), Qt::LeftButton);
        QVERIFY(!player.running());
        QCOMPARE(s.requests.request().maxTokens, 1024U); // the same state, to explore
        openLesson(s, 2);
        QCOMPARE(player.stepIndex(), 3);
        s.requests.setText("another text", QStringLiteral("test"));
        QVERIFY(player.strayed());
        auto* back = s.find<QPushButton>("lesson.return");
        QVERIFY(back->isVisible());
        QTest::mouseClick(back, Qt::LeftButton);
        QVERIFY(!player.strayed());
        QCOMPARE(s.text(), *player.current()->text.bytes);
        s.window.close(); // in the middle of a lesson
        QVERIFY(!player.running());
    }

    void withoutAModel_itIsSaidAndTheLessonGoesOn() {
        Stage s;
        LessonPlayer& player = s.window.findChild<Learn*>()->player();
        openLesson(s, 4);
        QVERIFY(s.find<QLabel>("lesson.waits")->isVisible());
        QVERIFY(s.find<QLabel>("lesson.waits")->text().contains(QStringLiteral("model")));
        QVERIFY(s.find<QLabel>("lesson.note")->isVisible());
        QVERIFY(s.find<LessonWords>("lesson.say")->toPlainText().contains(QStringLiteral("…")));
        press(Qt::Key_Space);
        QCOMPARE(player.stepIndex(), 1);
        QVERIFY(!s.find<QLabel>("lesson.waits")->isVisible());
    }

    void rowStory_fillsKeyByKeyToTheWeights() {
        RowStory story;
        story.setRow(3, {0.5F, 0.125F, 0.125F, 0.25F}, {"a", "b", "c", "d"});
        story.play(false);
        QCOMPARE(story.keysShown(), 1);
        QCOMPARE(story.shares(1), std::vector<double>{1.0});
        QSignalSpy shown(&story, &RowStory::keyShown);
        QTest::mouseClick(story.findChild<QAbstractButton*>("lesson.row.next"), Qt::LeftButton);
        QCOMPARE(story.keysShown(), 2);
        QCOMPARE(shown.takeFirst().at(0).toInt(), 1);
        QCOMPARE(story.shares(2), (std::vector<double>{0.8, 0.2}));
        story.showKeys(4);
        QCOMPARE(story.shares(4), (std::vector<double>{0.5, 0.125, 0.125, 0.25}));
        QVERIFY(story.findChild<QLabel*>("lesson.row.text")->text().contains(QStringLiteral("100 %")));
        story.showKeys(1);
        story.play(true);
        QVERIFY(story.playing());
        QTRY_COMPARE_WITH_TIMEOUT(story.keysShown(), 4, 10'000);
        QVERIFY(!story.playing());
        story.clear();
        QVERIFY(story.isHidden());
    }

    void lessonOne_onTheModel() {
        const auto model = findModel("");
        if (!model)
            QSKIP("the default model is not cached: run app/fetch-model smollm2");
        Stage s{LatestWorker::Runner{}};
        s.window.documents().openModel(QString::fromStdString(*model));
        LessonPlayer& player = s.window.findChild<Learn*>()->player();
        openLesson(s, 1);
        player.goTo(3);
        QTRY_VERIFY_WITH_TIMEOUT(player.waitsFor().isEmpty(), 60'000);
        QCOMPARE(player.scene().tokens, 16U);
        QVERIFY(player.note().isEmpty());
        auto* story = s.find<RowStory>("lesson.row");
        QTRY_VERIFY(story->isVisible());
        const std::vector<double> shares = story->shares(8);
        QVERIFY(std::abs(std::accumulate(shares.begin(), shares.end(), 0.0) - 1) < 1e-5);
        player.next();
        QTRY_VERIFY(s.find<ChoiceButton>("lesson.choice.0")->isVisible());
        QVERIFY(!s.find<CostBar>("lesson.cost")->isVisible()); // it would tell answers
        QTest::mouseClick(s.find<ChoiceButton>("lesson.choice.0"), Qt::LeftButton);
        QVERIFY(player.reply() != nullptr && player.reply()->right);
        QVERIFY(s.find<CostBar>("lesson.cost")->isVisible());
        player.goTo(9);
        QVERIFY(player.atEnd());
    }

private:
    QTemporaryDir m_dir;
};

QTEST_MAIN(TestLessonView)
#include "tst_LessonView.moc"
