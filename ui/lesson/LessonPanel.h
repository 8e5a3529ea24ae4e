#pragma once
#include "core/lesson/Filled.h"
#include <QWidget>
#include <vector>

class QLabel;
class QLineEdit;
class QPushButton;
class QScrollArea;
class QToolButton;
class QVBoxLayout;

namespace fovea::lesson {
struct Frame;
}

namespace fovea::ui {

class ChoiceButton;
class CostBar;
class LessonPlayer;
class LessonWords;
class SelectionModel;
class StoryView;

/// A lesson as the learner sees it: heading, paragraph with coloured words, question and answers, gesture,
/// the animation, the cost bar, and the buttons Back, Next and "Explore this yourself". Space goes
/// on, Backspace back; both work wherever the focus is inside the panel, but a focused button is pressed
/// first. P plays or stops the animation. Names: lesson.title, lesson.say, lesson.question,
/// lesson.choice.<n>, lesson.number, lesson.answer, lesson.verdict, lesson.show, lesson.waits, lesson.take,
/// lesson.back, lesson.next, lesson.explore, lesson.close.
class LessonPanel : public QWidget {
    Q_OBJECT
public:
    LessonPanel(LessonPlayer& player, SelectionModel& selection, QWidget* parent = nullptr);

    /// Shows the step; with `fresh` from its beginning, the focus where the first key is expected.
    void showStep(bool fresh);
    void takeFocus();                  ///< to where the next key is expected
    void say(const QString& sentence); ///< a line below the step, until the next one

signals:
    void exploreWanted();
    void closeWanted();
    void takeAwayWanted();    ///< a page about the lesson
    void placeLit(int token); ///< of the text, which should show it; -1: none

protected:
    void keyPressEvent(QKeyEvent* event) override;

private:
    void build();
    LessonWords* addWords(const char* name);
    void showQuestion(bool fresh);
    void showVerdict();
    void showGesture();
    void showStory();
    void lightFrame(const lesson::Frame& frame);
    void goOn();
    void sendNumber();
    [[nodiscard]] std::vector<lesson::FilledParagraph>
    filled(const std::vector<lesson::Paragraph>& paragraphs) const;

    LessonPlayer& m_player;
    SelectionModel& m_selection;
    QLabel *m_where, *m_title, *m_waits, *m_note;
    QScrollArea* m_scroll;
    QVBoxLayout* m_column;
    LessonWords *m_say, *m_question, *m_verdict, *m_effect;
    std::vector<LessonWords*> m_words;
    QWidget *m_choiceBox, *m_numberBox;
    std::vector<ChoiceButton*> m_choices;
    QLineEdit* m_number;
    QPushButton *m_answer, *m_show, *m_return, *m_take, *m_back, *m_next, *m_explore;
    StoryView* m_story;
    CostBar* m_cost;
};

} // namespace fovea::ui
