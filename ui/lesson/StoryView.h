#pragma once
#include "core/lesson/Story.h"
#include <QTimer>
#include <QWidget>
#include <memory>

class QLabel;
class QToolButton;

namespace fovea::ui {

/// Plays the frames of a story: the sentence of each, the bars of a row that fills up, and buttons to stop
/// it, to go on by hand and to change the speed. Whoever listens to frameShown lights up text and map. It
/// plays by itself, unless the style asks for no animation: then the frames are numbered stills. Names:
/// lesson.story, lesson.story.text, lesson.story.play, lesson.story.previous, lesson.story.next,
/// lesson.story.speed.
class StoryView : public QWidget {
    Q_OBJECT
public:
    explicit StoryView(QWidget* parent = nullptr);
    /// Null: none, and the view is hidden. The story that is shown already plays on.
    void setStory(std::shared_ptr<const lesson::Story> story);
    [[nodiscard]] const lesson::Story* story() const { return m_story.get(); }
    [[nodiscard]] int shown() const { return m_at; } ///< from 0
    [[nodiscard]] bool playing() const { return m_timer.isActive(); }
    void show(int frame);
    void play(bool on);
    void toggle(); ///< plays or stops; from the beginning after the end

signals:
    void frameShown(const fovea::lesson::Frame& frame);

protected:
    void hideEvent(QHideEvent* event) override;

private:
    class Bars;
    void follow();
    [[nodiscard]] int last() const;
    [[nodiscard]] bool stills() const; ///< no animation is wanted
    std::shared_ptr<const lesson::Story> m_story;
    int m_at = 0;
    int m_speed = 1; ///< index into the speeds
    QTimer m_timer;
    Bars* m_bars;
    QLabel* m_text;
    QToolButton *m_previous, *m_play, *m_next, *m_speedButton;
};

} // namespace fovea::ui
