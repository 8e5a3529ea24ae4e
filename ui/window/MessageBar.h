#pragma once
#include <QString>
#include <QWidget>
#include <functional>
#include <optional>
#include <vector>

class QHBoxLayout;
class QLabel;
class QToolButton;

namespace fovea::ui {

/// One line with an error or a question and its buttons, used instead of message boxes. Hidden if there is no
/// message. A question that a hint takes the place of comes back when the hint is closed. Names: `name`,
/// `name`.text, `name`.close, `name`.button.<n>.
class MessageBar : public QWidget {
    Q_OBJECT
public:
    enum Kind { Hint, Question, Fault };
    struct Choice {
        QString label;
        std::function<void()> act;
    };
    explicit MessageBar(const QString& name, QWidget* parent = nullptr);
    /// Replaces the message. `topic` identifies it for later calls of clear().
    void show(Kind kind, const QString& sentence, const std::vector<Choice>& choices = {},
              const QString& topic = {});
    void clear(const QString& topic);
    [[nodiscard]] bool showing() const { return m_showing; }

signals:
    void closed();

public slots:
    void close();

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    struct Message {
        Kind kind = Hint;
        QString sentence;
        std::vector<Choice> choices;
        QString topic;
    };
    void put(Message message);
    void fitHeight();
    QLabel* m_icon;
    QLabel* m_text;
    QHBoxLayout* m_buttons;
    QToolButton* m_close;
    Message m_message;
    std::optional<Message> m_waiting; ///< a question behind a hint
    bool m_showing = false;
};

} // namespace fovea::ui
