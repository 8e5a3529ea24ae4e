#include "ui/lesson/LessonPanel.h"
#include "core/lesson/LessonCheck.h"
#include "ui/lesson/ChoiceButton.h"
#include "ui/lesson/CostBar.h"
#include "ui/lesson/LessonPlayer.h"
#include "ui/lesson/LessonWords.h"
#include "ui/lesson/StoryView.h"
#include "ui/plot/Theme.h"
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QLocale>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QToolButton>
#include <QVBoxLayout>

namespace fovea::ui {

namespace {

using namespace fovea::lesson;

constexpr double kScale = 1.5; ///< of the type beside the rest of the window
constexpr int kMinimumWidth = 380;

QFont scaled(QFont font, double factor) {
    font.setPixelSize(qRound((font.pixelSize() > 0 ? font.pixelSize() : 13) * factor));
    return font;
}

QString kindWord(StepKind kind) {
    switch (kind) {
    case StepKind::See:
        return LessonPanel::tr("look");
    case StepKind::Predict:
        return LessonPanel::tr("what do you expect?");
    case StepKind::Try:
        return LessonPanel::tr("try it");
    case StepKind::Check:
        return LessonPanel::tr("check");
    case StepKind::Open:
        break;
    }
    return LessonPanel::tr("the end");
}

QLabel* plainLabel(const char* name, QWidget* parent, const QFont& font) {
    auto* label = new QLabel(parent);
    label->setObjectName(QLatin1String(name));
    label->setTextFormat(Qt::PlainText);
    label->setWordWrap(true);
    label->setFont(font);
    return label;
}

/// "1,234.5 %", "#237" and "237" as a number.
std::optional<double> typedNumber(QString typed) {
    typed.remove(QLatin1Char(',')).remove(QLatin1Char('#')).remove(QLatin1Char('%'));
    bool ok = false;
    const double value = QLocale::c().toDouble(typed.trimmed(), &ok);
    return ok ? std::optional(value) : std::nullopt;
}

} // namespace

LessonPanel::LessonPanel(LessonPlayer& player, SelectionModel& selection, QWidget* parent)
    : QWidget(parent), m_player(player), m_selection(selection) {
    setObjectName(QStringLiteral("lesson"));
    setFocusPolicy(Qt::StrongFocus);
    setMinimumWidth(kMinimumWidth);
    setFont(scaled(Theme::body(), kScale));
    build();
    // Any menu of panels can open it without a lesson.
    const auto enable = [this] { setEnabled(m_player.running()); };
    connect(&m_player, &LessonPlayer::lessonChanged, this, enable);
    enable();
    connect(&m_player, &LessonPlayer::stepChanged, this, [this] { showStep(true); });
    connect(&m_player, &LessonPlayer::changed, this, [this] { showStep(false); });
    connect(&m_selection, &SelectionModel::hoverChanged, this, [this] {
        const int key = m_selection.hoveredPair().key;
        for (LessonWords* words : m_words)
            words->lightToken(key >= 0 ? key : m_selection.hovered());
    });
}

LessonWords* LessonPanel::addWords(const char* name) {
    auto* words = new LessonWords(this);
    words->setObjectName(QLatin1String(name));
    words->setFont(font());
    m_column->addWidget(words);
    m_words.push_back(words);
    connect(words, &LessonWords::tokenHovered, &m_selection, &SelectionModel::hover);
    connect(words, &LessonWords::tokenHovered, this, [this](int token) {
        emit placeLit(token >= 0 ? token : m_selection.query()); // back to what is read
    });
    connect(words, &LessonWords::tokenChosen, &m_selection, &SelectionModel::pin);
    return words;
}

void LessonPanel::build() {
    auto* whole = new QVBoxLayout(this);
    whole->setContentsMargins(12, 8, 12, 8);
    whole->setSpacing(8);
    auto* head = new QHBoxLayout;
    m_where = plainLabel("lesson.where", this, Theme::body());
    head->addWidget(m_where, 1);
    auto* close = new QToolButton(this);
    close->setObjectName(QStringLiteral("lesson.close"));
    close->setText(tr("Leave"));
    close->setToolTip(tr("Leaves the lesson; the place is kept"));
    close->setMinimumSize(24, 24);
    close->setFont(Theme::body());
    head->addWidget(close);
    whole->addLayout(head);
    m_title = plainLabel("lesson.title", this, scaled(Theme::title(), kScale));
    whole->addWidget(m_title);

    m_scroll = new QScrollArea(this);
    m_scroll->setObjectName(QStringLiteral("lesson.scroll"));
    m_scroll->setWidgetResizable(true);
    m_scroll->setFrameShape(QFrame::NoFrame);
    m_scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_scroll->setFocusPolicy(Qt::NoFocus);
    auto* inside = new QWidget(m_scroll);
    m_column = new QVBoxLayout(inside);
    m_column->setContentsMargins(0, 0, 4, 0);
    m_column->setSpacing(10);
    m_scroll->setWidget(inside);
    whole->addWidget(m_scroll, 1);

    m_say = addWords("lesson.say");
    m_story = new StoryView(inside);
    m_column->addWidget(m_story);
    m_question = addWords("lesson.question");
    m_choiceBox = new QWidget(inside);
    auto* choices = new QVBoxLayout(m_choiceBox);
    choices->setContentsMargins(0, 0, 0, 0);
    choices->setSpacing(6);
    m_column->addWidget(m_choiceBox);
    m_numberBox = new QWidget(inside);
    auto* numbers = new QHBoxLayout(m_numberBox);
    numbers->setContentsMargins(0, 0, 0, 0);
    m_number = new QLineEdit(m_numberBox);
    m_number->setObjectName(QStringLiteral("lesson.number"));
    m_number->setAccessibleName(tr("Your answer, a number"));
    m_number->setMaxLength(20);
    numbers->addWidget(m_number, 1);
    m_answer = new QPushButton(tr("Answer"), m_numberBox);
    m_answer->setObjectName(QStringLiteral("lesson.answer"));
    numbers->addWidget(m_answer);
    m_column->addWidget(m_numberBox);
    m_show = new QPushButton(inside);
    m_show->setObjectName(QStringLiteral("lesson.show"));
    m_column->addWidget(m_show);
    m_verdict = addWords("lesson.verdict");
    m_effect = addWords("lesson.effect");
    m_waits = plainLabel("lesson.waits", inside, Theme::body());
    m_column->addWidget(m_waits);
    m_return = new QPushButton(tr("Back to the lesson's text"), inside);
    m_return->setObjectName(QStringLiteral("lesson.return"));
    m_column->addWidget(m_return);
    m_take = new QPushButton(tr("Save a page…"), inside);
    m_take->setObjectName(QStringLiteral("lesson.take"));
    m_take->setToolTip(tr("One HTML file with your answers, the counts and the maps; it opens offline"));
    m_column->addWidget(m_take);
    m_note = plainLabel("lesson.note", inside, Theme::body());
    m_column->addWidget(m_note);
    m_column->addStretch(1);

    m_cost = new CostBar(this);
    m_cost->setFont(Theme::body());
    whole->addWidget(m_cost);
    auto* foot = new QHBoxLayout;
    foot->setSpacing(8);
    m_back = new QPushButton(tr("Back"), this);
    m_back->setObjectName(QStringLiteral("lesson.back"));
    m_back->setToolTip(tr("The step before (Backspace)"));
    m_explore = new QPushButton(tr("Explore this yourself"), this);
    m_explore->setObjectName(QStringLiteral("lesson.explore"));
    m_explore->setToolTip(tr("Leaves the lesson with text and policy as they are; the place is kept"));
    m_explore->setFont(Theme::body());
    m_next = new QPushButton(tr("Next"), this);
    m_next->setObjectName(QStringLiteral("lesson.next"));
    m_next->setToolTip(tr("The next step (Space)"));
    foot->addWidget(m_back);
    foot->addWidget(m_explore, 1);
    foot->addWidget(m_next);
    whole->addLayout(foot);

    connect(close, &QToolButton::clicked, this, &LessonPanel::closeWanted);
    connect(m_explore, &QPushButton::clicked, this, &LessonPanel::exploreWanted);
    connect(m_back, &QPushButton::clicked, &m_player, &LessonPlayer::back);
    connect(m_next, &QPushButton::clicked, this, &LessonPanel::goOn);
    connect(m_answer, &QPushButton::clicked, this, &LessonPanel::sendNumber);
    connect(m_number, &QLineEdit::returnPressed, this, &LessonPanel::sendNumber);
    connect(m_show, &QPushButton::clicked, this, [this] {
        m_player.doGesture();
        takeFocus();
    });
    connect(m_story, &StoryView::frameShown, this, &LessonPanel::lightFrame);
    connect(m_take, &QPushButton::clicked, this, &LessonPanel::takeAwayWanted);
    connect(m_return, &QPushButton::clicked, &m_player, &LessonPlayer::applyState);
}

std::vector<FilledParagraph> LessonPanel::filled(const std::vector<Paragraph>& paragraphs) const {
    std::vector<FilledParagraph> result;
    // Numbers that are still to come are dots; the line below says what they wait for.
    for (const Paragraph& paragraph : paragraphs)
        result.push_back(
            fill(paragraph, m_player.scene(), nullptr, m_player.waitsFor().isEmpty() ? "" : "…"));
    return result;
}

void LessonPanel::showStep(bool fresh) {
    if (!m_player.running())
        return;
    const Lesson& lesson = *m_player.current();
    const LessonStep& step = m_player.step();
    const QString count = m_player.number() > 0
                              ? tr("Lesson %1 of %2").arg(m_player.number()).arg(m_player.library().size())
                              : tr("Lesson");
    m_where->setText(tr("%1: %2\nStep %3 of %4, %5")
                         .arg(count, QString::fromStdString(lesson.title))
                         .arg(m_player.stepIndex() + 1)
                         .arg(lesson.steps.size())
                         .arg(kindWord(step.kind)));
    m_title->setText(QString::fromStdString(step.title));
    m_say->setParagraphs(filled(step.say));
    showStory();
    showQuestion(fresh);
    showGesture();
    showVerdict();
    const bool effect = step.effect && (!step.question || m_player.reply() != nullptr);
    const Result<bool> shown = effect ? showsEffect(*step.effect, m_player.scene()) : Result<bool>(false);
    m_effect->setVisible(effect && shown.has_value());
    if (effect && shown)
        m_effect->setParagraphs(filled({*shown ? step.effect->shown : step.effect->absent}));
    m_waits->setText(m_player.waitsFor());
    m_waits->setVisible(!m_player.waitsFor().isEmpty());
    m_return->setVisible(m_player.strayed());
    m_take->setVisible(m_player.atEnd());
    m_note->setText(m_player.note());
    m_note->setVisible(!m_player.note().isEmpty());
    // The bars would tell the answer of many a question.
    m_cost->setVisible(m_player.scene().tokens > 0 && (!step.question || m_player.reply() != nullptr));
    m_cost->show(m_player.cost());
    m_back->setEnabled(m_player.stepIndex() > 0);
    m_next->setText(m_player.atEnd() ? tr("Done") : tr("Next"));
    if (fresh) {
        m_scroll->verticalScrollBar()->setValue(0);
        takeFocus();
    }
}

void LessonPanel::say(const QString& sentence) {
    m_note->setText(sentence);
    m_note->show();
}

void LessonPanel::showStory() {
    m_story->setStory(m_player.strayed() ? nullptr : m_player.story());
}

/// The place of a frame, in the text and in the map at once.
void LessonPanel::lightFrame(const Frame& frame) {
    if (frame.queries.last > frame.queries.first) {
        m_selection.setBlock({static_cast<int>(frame.queries.first), static_cast<int>(frame.queries.last),
                              static_cast<int>(frame.keys.first), static_cast<int>(frame.keys.last)});
        return;
    }
    if (frame.query >= 0 && frame.query != m_selection.query())
        m_selection.pin(frame.query);
    if (frame.key >= 0)
        m_selection.hoverPair({frame.query, frame.key});
    else
        m_selection.hover(-1);
    if (m_story->story()->kind == Animation::Kind::Routed) // far from the query, which is not shown beside it
        emit placeLit(frame.key);
}

void LessonPanel::showQuestion(bool fresh) {
    const LessonStep& step = m_player.step();
    const bool asks = step.question.has_value();
    m_question->setVisible(asks);
    const bool choice = asks && !step.question->choices.empty();
    m_choiceBox->setVisible(choice);
    m_numberBox->setVisible(asks && !choice);
    if (!asks)
        return;
    m_question->setParagraphs(filled({step.question->ask}));
    if (fresh)
        m_number->clear();
    const LessonPlayer::Reply* reply = m_player.reply();
    m_number->setEnabled(reply == nullptr);
    m_answer->setEnabled(reply == nullptr);
    if (reply != nullptr && reply->choice < 0)
        m_number->setText(reply->said);
    if (fresh || m_choices.size() != step.question->choices.size()) {
        qDeleteAll(m_choices);
        m_choices.clear();
        for (std::size_t i = 0; i < step.question->choices.size(); ++i) {
            auto* button = new ChoiceButton({}, m_choiceBox);
            button->setObjectName(QStringLiteral("lesson.choice.%1").arg(i));
            button->setFont(font());
            m_choiceBox->layout()->addWidget(button);
            button->show(); // now: it may get the focus before the layout shows it
            m_choices.push_back(button);
            connect(button, &ChoiceButton::clicked, this, [this, i] {
                if (m_player.answerChoice(static_cast<int>(i)))
                    takeFocus();
            });
        }
    }
    const Result<Answer> answer =
        reply != nullptr ? answerOf(*step.question, m_player.scene()) : Result<Answer>(Answer{});
    for (std::size_t i = 0; i < m_choices.size(); ++i) {
        const int number = static_cast<int>(i);
        m_choices[i]->setText(
            QString::fromStdString(plainText(fill(step.question->choices[i].say, m_player.scene()))));
        using Verdict = ChoiceButton::Verdict;
        m_choices[i]->setVerdict(reply == nullptr || !answer ? Verdict::Open
                                 : number == answer->right   ? Verdict::Right
                                 : number == reply->choice   ? Verdict::ChosenWrong
                                                             : Verdict::Other);
    }
}

void LessonPanel::showVerdict() {
    const LessonStep& step = m_player.step();
    const LessonPlayer::Reply* reply = m_player.reply();
    const bool answered = step.question && reply != nullptr;
    const bool gesture = step.gesture && m_player.gestureDone();
    m_verdict->setVisible(answered || gesture);
    if (answered) {
        const Result<Answer> answer = answerOf(*step.question, m_player.scene());
        const QString truth = answer ? QString::fromStdString(answer->truth.shown()) : QString();
        const QString lead = reply->right ? tr("Yes.")
                             : reply->choice >= 0
                                 ? tr("You said: %1. Counted:").arg(reply->said)
                                 : tr("You said %1; counted are %2.").arg(reply->said, truth);
        m_verdict->setParagraphs(filled({step.question->because}), lead);
    } else if (gesture) {
        m_verdict->setParagraphs(
            {{FilledPiece{tr("Done. Space goes on.").toStdString(), Mark::None, -1, -1}}});
    }
}

void LessonPanel::showGesture() {
    const LessonStep& step = m_player.step();
    m_show->setVisible(step.gesture.has_value());
    if (!step.gesture)
        return;
    m_show->setText(tr("Show me"));
    m_show->setToolTip(tr("Does it for you: %1").arg(QString::fromStdString(gestureText(*step.gesture))));
    m_show->setEnabled(!m_player.gestureDone());
}

void LessonPanel::takeFocus() {
    if (!isVisible())
        return;
    const LessonStep& step = m_player.step();
    QWidget* target = this;
    if (step.question && m_player.reply() == nullptr)
        target = m_choices.empty() || step.question->choices.empty() ? static_cast<QWidget*>(m_number)
                                                                     : m_choices.front();
    else if (step.gesture && !m_player.gestureDone())
        target = m_show;
    target->setFocus(Qt::OtherFocusReason);
    if (m_player.reply() != nullptr || m_player.gestureDone())
        QMetaObject::invokeMethod(
            this, [this] { m_scroll->ensureWidgetVisible(m_effect->isVisible() ? m_effect : m_verdict); },
            Qt::QueuedConnection); // after the layout
}

void LessonPanel::goOn() {
    if (m_player.atEnd())
        emit exploreWanted();
    else
        m_player.next();
}

void LessonPanel::sendNumber() {
    const std::optional<double> typed = typedNumber(m_number->text());
    if (typed && m_player.answerNumber(*typed, m_number->text().trimmed())) {
        takeFocus();
        return;
    }
    if (!typed)
        say(tr("\"%1\" is no number.").arg(m_number->text()));
    m_number->setFocus();
    m_number->selectAll();
}

void LessonPanel::keyPressEvent(QKeyEvent* event) {
    if (!m_player.running() || event->modifiers() != Qt::NoModifier) {
        QWidget::keyPressEvent(event);
        return;
    }
    const int key = event->key();
    const auto choice = static_cast<std::size_t>(key - Qt::Key_1);
    if (key == Qt::Key_Space) {
        goOn();
    } else if (key == Qt::Key_Backspace) {
        m_player.back();
    } else if (key == Qt::Key_P && m_story->isVisible()) {
        m_story->toggle();
    } else if (key == Qt::Key_Down || key == Qt::Key_Up) {
        focusNextPrevChild(key == Qt::Key_Down);
    } else if (key >= Qt::Key_1 && choice < m_choices.size() && m_player.reply() == nullptr) {
        m_choices[choice]->click();
    } else {
        QWidget::keyPressEvent(event);
    }
}

} // namespace fovea::ui
