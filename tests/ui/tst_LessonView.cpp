// Lessons in the window: opened from the menu and worked through by keyboard alone, with real key events.
#include "core/lesson/Lesson.h"
#include "core/lesson/LessonJson.h"
#include "core/policy/ParamSpec.h"
#include "tests/support/TinyModel.h"
#include "tests/support/WindowStage.h"
#include "ui/lesson/ChoiceButton.h"
#include "ui/lesson/CostBar.h"
#include "ui/lesson/FocusRing.h"
#include "ui/lesson/GlossaryTips.h"
#include "ui/lesson/Learn.h"
#include "ui/lesson/LessonPlayer.h"
#include "ui/lesson/LessonWords.h"
#include "ui/lesson/StoryView.h"
#include "ui/views/TokenCanvas.h"
#include <QAction>
#include <QDockWidget>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QProxyStyle>
#include <QPushButton>
#include <QTextBlock>
#include <QToolButton>
#include <QToolTip>
#include <atomic>

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

/// A style whose animations take this long; 0: none are wanted.
class Motion : public QProxyStyle {
public:
    explicit Motion(int ms) : m_ms(ms) {}
    int styleHint(StyleHint hint, const QStyleOption* option, const QWidget* widget,
                  QStyleHintReturn* data) const override {
        return hint == SH_Widget_Animation_Duration ? m_ms
                                                    : QProxyStyle::styleHint(hint, option, widget, data);
    }

private:
    int m_ms;
};

/// A lesson about a run of any model that knows the letters a, b and c.
const QByteArray kLetters =
    R"j({"fovea": "lesson", "version": 1, "id": "letters", "title": "Letters", "minutes": 3, "why": "To try it.",
    "text": {"content": "abcabcabbacbcabcaabbccabcabcbacb", "tokens": 12},
    "policies": {"near": {"local": {"window": 3}}},
    "steps": [{"kind": "see", "title": "One", "say": "KL {kl(near)}."},
              {"kind": "see", "title": "Two", "say": "Same {top1(near)}."},
              {"kind": "see", "title": "Three", "policy": "near", "tokens": 8, "say": "{pairs} pairs, sum {row_sum(5)}."},
              {"kind": "see", "title": "Four", "policy": "full", "say": "Sum {row_sum(5)}.",
               "animate": {"show": "row", "query": 5}}]})j";

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
        QVERIFY(s.find<QWidget>("hint.bar")->isVisible());
        openLesson(s, number);
        QVERIFY(player.running());
        QVERIFY(!s.find<QWidget>("hint.bar")->isVisible()); // which offers lesson 1
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
    }

    void answers_areCountedAndWrongOnesMetWithTheCount() {
        Stage s;
        LessonPlayer& player = s.window.findChild<Learn*>()->player();
        openLesson(s, 3);
        press(Qt::Key_Space);
        QCOMPARE(player.stepIndex(), 1);
        QTest::keyClicks(QApplication::focusWidget(), QStringLiteral("many"));
        press(Qt::Key_Return);
        QVERIFY(player.reply() == nullptr);
        QVERIFY(s.find<QLabel>("lesson.note")->text().contains(QStringLiteral("\"many\" is no number")));
        QTest::keyClicks(QApplication::focusWidget(), QStringLiteral("#236")); // in its place
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
        s.requests.setPolicy(*player.current()->policy("window64"), QStringLiteral("test"));
        press(Qt::Key_3);
        QVERIFY(player.reply() != nullptr && player.reply()->right);
        QCOMPARE(s.find<ChoiceButton>("lesson.choice.2")->verdict(), ChoiceButton::Verdict::Right);
        QVERIFY(
            s.find<LessonWords>("lesson.verdict")->toPlainText().startsWith(QStringLiteral("Yes. 30,752")));
        QVERIFY2(
            s.find<CostBar>("lesson.cost")->sentence().contains(QStringLiteral("Now: 30,752 pairs, 23.4 %")),
            qPrintable(s.find<CostBar>("lesson.cost")->sentence()));
    }

    void wordsAndTokens_lightEachOther() {
        Stage s;
        openLesson(s, 3);
        auto* say = s.find<LessonWords>("lesson.say");
        emit say->tokenHovered(300); // what resting on the word reports
        QCOMPARE(s.selection.hovered(), 300);
        auto* text = s.find<TokenCanvas>("text.reading"); // too small for the whole text
        const auto seen = [&](int token) {
            return text->viewport()->rect().contains(text->tokenRect(token).center());
        };
        QVERIFY(text->isVisible() && seen(300) && !seen(5));
        emit say->tokenHovered(5);
        QVERIFY(seen(5));
        emit say->tokenHovered(300);
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

    /// Tab visits the coloured words and goes on, although each of them lights up on its way.
    void tab_leavesTheParagraph() {
        Stage s;
        LessonPlayer& player = s.window.findChild<Learn*>()->player();
        openLesson(s, 1);
        player.next();
        auto* say = s.find<LessonWords>("lesson.say");
        say->setFocus(Qt::TabFocusReason);
        QList<int> visited;
        for (int i = 0; i < 6 && QApplication::focusWidget() == say; ++i) {
            press(Qt::Key_Tab);
            visited << s.selection.hovered();
        }
        QVERIFY(QApplication::focusWidget() != say);
        QVERIFY2(visited.contains(7) && visited.contains(1), "both coloured words were visited");
    }

    /// Without a model lesson 7 shows a register all the same, and says that numbers are missing.
    void lessonSeven_withoutAModelShowsItsText() {
        Stage s;
        LessonPlayer& player = s.window.findChild<Learn*>()->player();
        openLesson(s, 7);
        QVERIFY2(s.text().starts_with("Register of the lockers"), s.text().substr(0, 40).c_str());
        QVERIFY(!player.strayed());
        QVERIFY(player.waitsFor().contains(QStringLiteral("model")));
        player.next();
        QVERIFY(s.text().starts_with("Register of the lockers"));
    }

    /// What the learner chooses in the window is what the numbers are about.
    void numbers_followTheWindow() {
        Stage s;
        LessonPlayer& player = s.window.findChild<Learn*>()->player();
        openLesson(s, 1);
        player.goTo(8);
        auto* say = s.find<LessonWords>("lesson.say");
        QVERIFY2(say->toPlainText().contains(QStringLiteral("layer 9, head 2")),
                 qPrintable(say->toPlainText()));
        s.selection.setCell(3, 4);
        QVERIFY2(say->toPlainText().contains(QStringLiteral("layer 3, head 4")),
                 qPrintable(say->toPlainText()));
        auto* cost = s.find<CostBar>("lesson.cost");
        QVERIFY2(cost->sentence().contains(QStringLiteral("all of them")), qPrintable(cost->sentence()));
        s.requests.setParam(*findParam("local.window"), std::int64_t{4});
        QVERIFY2(cost->sentence().contains(QStringLiteral("Now: 58 pairs")), qPrintable(cost->sentence()));
        // The work of a running state is told beside the pairs.
        openLesson(s, 6);
        player.goTo(4);
        QVERIFY2(cost->sentence().contains(QStringLiteral("work worth")) &&
                     cost->sentence().contains(QStringLiteral("224 %")),
                 qPrintable(cost->sentence()));
    }

    void parameters_areThoseTheStepNeeds() {
        Stage s;
        LessonPlayer& player = s.window.findChild<Learn*>()->player();
        openLesson(s, 3);
        QVERIFY(!s.find<QDockWidget>("dock.params")->isVisible());
        player.goTo(2);
        QTRY_VERIFY(s.find<QWidget>("params.local.window")->isVisible());
        QVERIFY(!s.find<QWidget>("params.always.sinks")->isVisible());
        QVERIFY(!s.find<QWidget>("params.section.Local")->isVisible());
        s.window.findChild<Learn*>()->leave();
        s.requests.setPolicy(*presetPolicy("default"), QStringLiteral("test"));
        QTRY_VERIFY(s.find<QWidget>("params.always.sinks")->isVisible());
        QVERIFY(s.find<QWidget>("params.section.Local")->isVisible());
    }

    void leaving_givesUpWhatRuns() {
        Stage s;
        LessonPlayer& player = s.window.findChild<Learn*>()->player();
        openLesson(s, 3);
        player.goTo(3);
        QVERIFY(player.story() != nullptr);
        QTRY_VERIFY(s.find<StoryView>("lesson.story")->isVisible());
        s.window.findChild<Learn*>()->leave();
        QVERIFY(player.story() == nullptr && player.scene().lesson == nullptr);
        QVERIFY(!s.find<StoryView>("lesson.story")->playing());
        // The panel can be opened without a lesson, from a menu of panels: nothing in it does anything.
        QVERIFY(!s.find<QWidget>("lesson")->isEnabled());
        player.applyState();
        player.next();
        player.back();
        player.doGesture();
        QVERIFY(!player.answerChoice(0) && !player.answerNumber(1, QStringLiteral("1")) && !player.atEnd());
        openLesson(s, 3); // and the place is kept
        QVERIFY(s.find<QWidget>("lesson")->isEnabled());
        QCOMPARE(player.stepIndex(), 3);
    }

    void page_hasEveryStepUpToTheLast() {
        Stage s;
        LessonPlayer& player = s.window.findChild<Learn*>()->player();
        openLesson(s, 3);
        const auto steps = static_cast<int>(player.current()->steps.size());
        for (int step = 0; step < steps; ++step)
            player.goTo(step);
        const std::vector<TakeAwayStep> seen = player.takeAway();
        QCOMPARE(seen.size(), std::size_t(steps));
        QCOMPARE(seen.back().title, QString::fromStdString(player.current()->steps.back().title));
    }

    void droppedFile_beginsOrNamesTheMistake() {
        Stage s;
        LessonPlayer& player = s.window.findChild<Learn*>()->player();
        const QByteArray good =
            R"j({"fovea": "lesson", "version": 1, "id": "mine", "title": "Mine", "minutes": 3,
            "why": "To try it.", "text": {"content": "one two three four", "tokens": 4},
            "steps": [{"kind": "see", "title": "Look", "say": "{pairs} pairs.", "focus": "no.such.part"}]})j";
        QByteArray bad = good;
        bad.replace("{pairs}", "{doors}");
        s.window.documents().open({write("bad.json", bad)});
        QVERIFY(!player.running());
        const QString told = s.find<QLabel>("error.bar.text")->text();
        QVERIFY2(told.contains(QStringLiteral("bad.json")) && told.contains(QStringLiteral("steps[0].say")),
                 qPrintable(told));
        s.window.documents().open({write("good.json", good)});
        QVERIFY(player.running());
        QCOMPARE(s.text(), std::string("one two three four"));
        QVERIFY2(s.find<LessonWords>("lesson.say")->toPlainText().startsWith(QStringLiteral("10 pairs")),
                 qPrintable(s.find<LessonWords>("lesson.say")->toPlainText()));
        const QString note = s.find<QLabel>("lesson.note")->text();
        QVERIFY2(note.contains(QStringLiteral("no.such.part")), qPrintable(note));
    }

    /// A run that fails is told as long as it is the newest one, whatever the step; the lesson goes on.
    void failedRun_isToldAndTheLessonGoesOn() {
        const TinyModelFile model;
        std::atomic<bool> fails{true};
        LatestWorker::Runner runner = echo();
        runner.run = [&fails, answer = runner.run](
                         const Request& request, const Engine::Deliver& deliver,
                         const WorkContext& work) -> Result<std::shared_ptr<const Snapshot>> {
            if (fails)
                return fail(ErrorCode::TooLarge, "the model needs 9 GB.");
            return answer(request, deliver, work);
        };
        Stage s(runner);
        Learn* learn = s.window.findChild<Learn*>();
        LessonPlayer& player = learn->player();
        QVERIFY(learn->openFile(write("letters.json", kLetters)).has_value());
        s.window.documents().openModel(QString::fromStdString(model.path()));
        const QString told = QStringLiteral("the model needs 9 GB.");
        auto* waits = s.find<QLabel>("lesson.waits");
        QTRY_COMPARE(waits->text(), told);
        QVERIFY(waits->isVisible());
        player.next(); // the same policy: nothing runs anew
        QCOMPARE(player.stepIndex(), 1);
        QCOMPARE(waits->text(), told);
        fails = false;
        s.requests.setPolicy(*player.current()->policy("near"), QStringLiteral("test"));
        QTRY_VERIFY(!s.runs.updating());
        QVERIFY2(!waits->text().contains(told), qPrintable(waits->text()));
    }

    /// In the middle of a lesson: what can be counted is there, and the next step that runs has its numbers.
    void failedRun_inMidLesson() {
        const TinyModelFile model;
        std::atomic<bool> fails{false};
        LatestWorker::Runner runner;
        runner.run = [&fails, engine = std::make_shared<Engine>()](
                         const Request& request, const Engine::Deliver& deliver,
                         const WorkContext& work) -> Result<std::shared_ptr<const Snapshot>> {
            if (fails)
                return fail(ErrorCode::TooLarge, "the model needs 9 GB.");
            return engine->run(request, deliver, work);
        };
        Stage s(runner);
        Learn* learn = s.window.findChild<Learn*>();
        LessonPlayer& player = learn->player();
        QVERIFY(learn->openFile(write("letters.json", kLetters)).has_value());
        s.window.documents().openModel(QString::fromStdString(model.path()));
        QTRY_VERIFY_WITH_TIMEOUT(player.scene().run && player.waitsFor().isEmpty(), 60'000);
        fails = true;
        player.goTo(2);
        QTRY_COMPARE(player.waitsFor(), QStringLiteral("the model needs 9 GB."));
        auto* say = s.find<LessonWords>("lesson.say");
        QVERIFY2(say->toPlainText().startsWith(QStringLiteral("21 pairs, sum …")),
                 qPrintable(say->toPlainText()));
        fails = false;
        player.next();
        QTRY_VERIFY_WITH_TIMEOUT(player.waitsFor().isEmpty(), 60'000);
        QCOMPARE(say->toPlainText().trimmed(), QStringLiteral("Sum 1.00."));
        player.back(); // and the step that failed has them, too
        QTRY_VERIFY_WITH_TIMEOUT(player.waitsFor().isEmpty(), 60'000);
        QCOMPARE(say->toPlainText().trimmed(), QStringLiteral("21 pairs, sum 1.00."));
    }

    /// With reduced motion a row that a model has computed is turned by hand, key by key.
    void rowOfAModel_isStillsWithoutMotion() {
        const TinyModelFile model;
        Stage s{LatestWorker::Runner{}};
        Learn* learn = s.window.findChild<Learn*>();
        LessonPlayer& player = learn->player();
        auto* story = s.find<StoryView>("lesson.story");
        Motion still(0);
        story->setStyle(&still);
        QVERIFY(learn->openFile(write("letters.json", kLetters)).has_value());
        player.goTo(3);
        s.window.documents().openModel(QString::fromStdString(model.path()));
        QTRY_VERIFY_WITH_TIMEOUT(story->isVisible(), 60'000);
        auto* words = s.find<QLabel>("lesson.story.text");
        auto* next = s.find<QToolButton>("lesson.story.next");
        for (int key = 0; key < 6; ++key) {
            QVERIFY(!story->playing());
            QCOMPARE(story->shown(), key);
            const QString start = QStringLiteral("%1 of 7. Key #%2").arg(key + 1).arg(key);
            QVERIFY2(words->text().startsWith(start), qPrintable(words->text()));
            QCOMPARE(s.selection.hoveredPair(), (SelectionModel::Pair{5, key}));
            QTest::mouseClick(next, Qt::LeftButton);
        }
        QVERIFY2(words->text().startsWith(QStringLiteral("7 of 7. All keys are in.")),
                 qPrintable(words->text()));
        QVERIFY(!next->isEnabled() && !story->playing());
        story->setStyle(nullptr);
    }

    /// What runs when the lesson is left is given up, and begins anew when it is opened again.
    void leaving_givesUpARunUnderWay() {
        const TinyModelFile model;
        Stage s{LatestWorker::Runner{}};
        Learn* learn = s.window.findChild<Learn*>();
        LessonPlayer& player = learn->player();
        const QString path = write("letters.json", kLetters);
        QVERIFY(learn->openFile(path).has_value());
        bool left = false;
        connect(&player, &LessonPlayer::changed, &player, [&] {
            if (left || !player.running() || !player.scene().run || player.waitsFor().isEmpty())
                return;
            left = true; // full attention is there, and the policy's run has just been asked for
            learn->leave();
        });
        s.window.documents().openModel(QString::fromStdString(model.path()));
        QTRY_VERIFY_WITH_TIMEOUT(left, 60'000);
        QVERIFY(player.scene().lesson == nullptr);
        QVERIFY(learn->openFile(path).has_value());
        QTRY_VERIFY_WITH_TIMEOUT(player.waitsFor().isEmpty(), 60'000);
        const QString say = s.find<LessonWords>("lesson.say")->toPlainText();
        QVERIFY2(!say.contains(QStringLiteral("…")) && !say.contains(QLatin1Char('(')), qPrintable(say));
    }

    /// A word of the glossary is explained wherever the pointer rests on it.
    void glossary_explainsWordsInTheWindow() {
        Stage s;
        const auto* tips = s.window.findChild<GlossaryTips*>();
        QLabel label(QStringLiteral("The router is not free."), &s.window);
        label.show();
        QVERIFY(tips->tipAt(&label, {3, 3}).contains(QStringLiteral("chooses which far tokens")));
        QHelpEvent help(QEvent::ToolTip, {3, 3}, label.mapToGlobal(QPoint(3, 3)));
        QApplication::sendEvent(&label, &help);
        QVERIFY(QToolTip::text().contains(QStringLiteral("chooses which far tokens")));
        QToolTip::hideText();
        label.setText(QStringLiteral("Nothing to explain."));
        QVERIFY(tips->tipAt(&label, {3, 3}).isEmpty());
        QVERIFY(tips->tipAt(s.find<QWidget>("map.legend"), {3, 3}).contains(QStringLiteral("key role")));
        // In a paragraph only the word under the pointer.
        openLesson(s, 1);
        auto* say = s.find<LessonWords>("lesson.say");
        const auto at = static_cast<int>(say->toPlainText().indexOf(QStringLiteral("tokens")));
        QTextCursor cursor(say->document());
        cursor.setPosition(at + 2);
        const QString tip = tips->tipAt(say->viewport(), say->cursorRect(cursor).center());
        QVERIFY2(tip.contains(QStringLiteral("A piece of the text")) &&
                     !tip.contains(QStringLiteral("attention")),
                 qPrintable(tip));
    }

    void story_playsStopsAndLightsUp() {
        Stage s;
        LessonPlayer& player = s.window.findChild<Learn*>()->player();
        openLesson(s, 3);
        player.goTo(3);
        auto* story = s.find<StoryView>("lesson.story");
        QTRY_VERIFY(story->isVisible());
        story->play(false);
        story->show(4);
        QCOMPARE(s.selection.query(), 294);
        QCOMPARE(s.selection.hoveredPair(), (SelectionModel::Pair{294, 231}));
        auto* panel = s.find<QWidget>("lesson");
        QTest::keyClick(panel, Qt::Key_P);
        QVERIFY(story->playing());
        QTRY_VERIFY_WITH_TIMEOUT(story->shown() > 4, 10'000);
        QTest::keyClick(panel, Qt::Key_P);
        QVERIFY(!story->playing());
        story->show(1000);
        QCOMPARE(story->shown(), 30);
        QVERIFY(!s.find<QAbstractButton>("lesson.story.next")->isEnabled());
        player.goTo(5); // tiles
        QTRY_VERIFY(story->story() != nullptr && story->story()->kind == lesson::Animation::Kind::Tiles);
        story->show(0);
        QCOMPARE(s.selection.block(), (SelectionModel::Block{0, 64, 0, 64}));
        player.next();
        QVERIFY(story->story() == nullptr && !story->isVisible());
    }

    /// With reduced motion the pictures are numbered stills, which are turned by hand.
    void story_isStillsWithoutMotion() {
        Stage s;
        LessonPlayer& player = s.window.findChild<Learn*>()->player();
        openLesson(s, 3);
        auto* story = s.find<StoryView>("lesson.story");
        auto* words = s.find<QLabel>("lesson.story.text");
        auto* play = s.find<QToolButton>("lesson.story.play");
        Motion still(0), moving(200);
        story->setStyle(&still);
        player.goTo(3);
        QTRY_VERIFY(story->isVisible());
        QVERIFY(!story->playing());
        QVERIFY2(words->text().startsWith(QStringLiteral("1 of 31. ")), qPrintable(words->text()));
        QTest::mouseClick(s.find<QToolButton>("lesson.story.next"), Qt::LeftButton);
        QVERIFY2(words->text().startsWith(QStringLiteral("2 of 31. ")), qPrintable(words->text()));
        QVERIFY(!story->playing());
        QCOMPARE(play->text(), QStringLiteral("Play"));
        story->setStyle(&moving);
        player.goTo(5); // another film
        QTRY_VERIFY(story->isVisible() && story->playing());
        QCOMPARE(play->text(), QStringLiteral("Pause"));
        story->hide(); // as when the window is closed
        QVERIFY(!story->playing());
        QCOMPARE(play->text(), QStringLiteral("Play"));
        story->setStyle(nullptr);
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
        auto* story = s.find<StoryView>("lesson.story");
        QTRY_VERIFY(story->isVisible());
        QCOMPARE(story->story()->frames.size(), 9U);
        const std::vector<double>& bars = story->story()->frames.back().bars;
        QVERIFY(std::abs(std::accumulate(bars.begin(), bars.end(), 0.0) - 1) < 1e-5);
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
    QString write(const char* name, const QByteArray& json) const {
        QFile file(m_dir.filePath(QLatin1String(name)));
        if (!file.open(QIODevice::WriteOnly) || file.write(json) < 0)
            qFatal("cannot write %s", name);
        return file.fileName();
    }
    QTemporaryDir m_dir;
};

QTEST_MAIN(TestLessonView)
#include "tst_LessonView.moc"
