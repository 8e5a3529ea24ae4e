#pragma once
#include <QSlider>

namespace fovea::ui {

/// A horizontal slider that says when a drag begins, before its first value, and when it ends, and shows a
/// ghost tick: the value that the drag started from. Takes the wheel only while it has the focus, so
/// scrolling the panel changes nothing.
class ParamSlider : public QSlider {
    Q_OBJECT
public:
    explicit ParamSlider(QWidget* parent = nullptr);

signals:
    void dragBegan();
    void dragEnded();

protected:
    void mousePressEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void hideEvent(QHideEvent* event) override;
    void changeEvent(QEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void paintEvent(QPaintEvent* event) override;

private:
    void finish();
    bool m_dragging = false;
    int m_ghost = -1; ///< stop at the start of the drag, -1: none
};

} // namespace fovea::ui
