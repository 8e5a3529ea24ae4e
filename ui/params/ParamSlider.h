#pragma once
#include <QSlider>

namespace fovea::ui {

/// A horizontal slider that signals the start of a drag (before its first value) and its end, and marks the
/// value at the start of the drag. It accepts the wheel only if it has the focus, so scrolling the panel does
/// not change values.
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
