#pragma once
#include <QPointer>
#include <QWidget>

namespace fovea::ui {

/// A frame around the widget that a lesson speaks of. It lies over the window, takes no clicks, and follows
/// the widget when it moves or is resized.
class FocusRing : public QWidget {
    Q_OBJECT
public:
    explicit FocusRing(QWidget* window);
    /// Null: no frame.
    void follow(QWidget* target);
    [[nodiscard]] QWidget* target() const { return m_target; }

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;

private:
    void place();
    QPointer<QWidget> m_target;
};

} // namespace fovea::ui
