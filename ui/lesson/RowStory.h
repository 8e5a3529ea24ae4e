#pragma once
#include <QString>
#include <QTimer>
#include <QWidget>
#include <string>
#include <vector>

class QLabel;
class QToolButton;

namespace fovea::ui {

/// One row of attention that is filled key by key, from the weights of a run. After each key the bars show
/// what share every key so far has among those so far: that is how a softmax is added up, and at the last key
/// they are the weights of the row. Plays by itself, unless the style asks for no animation: then each key is
/// a numbered still that the buttons show. Names: lesson.row, lesson.row.play, lesson.row.previous,
/// lesson.row.next.
class RowStory : public QWidget {
    Q_OBJECT
public:
    explicit RowStory(QWidget* parent = nullptr);
    /// `weights` of keys 0..query, adding up to 1; `words` of the same tokens. A new row begins at its first
    /// key.
    void setRow(int query, const std::vector<float>& weights, const std::vector<QString>& words);
    void clear();
    [[nodiscard]] int keysShown() const { return m_shown; }
    [[nodiscard]] bool playing() const { return m_timer.isActive(); }
    /// The shares among the first `keys` keys.
    [[nodiscard]] std::vector<double> shares(int keys) const;
    void showKeys(int keys);
    void play(bool on);

signals:
    void keyShown(int key); ///< the newest one

protected:
    void hideEvent(QHideEvent* event) override;

private:
    class Bars;
    void follow();
    int m_query = -1, m_shown = 0;
    std::vector<float> m_weights;
    std::vector<QString> m_words;
    QTimer m_timer;
    Bars* m_bars;
    QLabel* m_text;
    QToolButton *m_previous, *m_play, *m_next;
};

} // namespace fovea::ui
