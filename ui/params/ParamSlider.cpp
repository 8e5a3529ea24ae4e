#include "ui/params/ParamSlider.h"
#include "ui/plot/Theme.h"
#include <QMouseEvent>
#include <QPainter>
#include <QStyle>
#include <QWheelEvent>

namespace fovea::ui {

ParamSlider::ParamSlider(QWidget* parent) : QSlider(Qt::Horizontal, parent) {
    setFocusPolicy(Qt::StrongFocus);
    setMinimumWidth(40);
}

void ParamSlider::mousePressEvent(QMouseEvent* event) {
    if (event->button() == Qt::LeftButton && !m_dragging) {
        m_dragging = true;
        m_ghost = value();
        emit dragBegan(); // before QSlider moves the thumb to where the groove was clicked
    }
    QSlider::mousePressEvent(event);
}

void ParamSlider::mouseReleaseEvent(QMouseEvent* event) {
    QSlider::mouseReleaseEvent(event);
    if (event->button() == Qt::LeftButton)
        finish();
}

void ParamSlider::hideEvent(QHideEvent* event) {
    QSlider::hideEvent(event);
    finish();
}

void ParamSlider::changeEvent(QEvent* event) {
    QSlider::changeEvent(event);
    if (event->type() == QEvent::EnabledChange && !isEnabled())
        finish();
}

void ParamSlider::finish() {
    if (!m_dragging)
        return;
    m_dragging = false;
    m_ghost = -1;
    update();
    emit dragEnded();
}

void ParamSlider::wheelEvent(QWheelEvent* event) {
    if (hasFocus())
        QSlider::wheelEvent(event);
    else
        event->ignore();
}

void ParamSlider::paintEvent(QPaintEvent* event) {
    QSlider::paintEvent(event);
    if (m_ghost < 0 || m_ghost == value())
        return;
    const int thumb = style()->pixelMetric(QStyle::PM_SliderLength, nullptr, this);
    const int x = thumb / 2 + QStyle::sliderPositionFromValue(minimum(), maximum(), m_ghost, width() - thumb);
    QPainter painter(this);
    painter.setPen(QPen(Theme::current().ink2, 1.5));
    painter.drawLine(QPointF(x, height() / 2.0 + 4), QPointF(x, height() / 2.0 + 10));
}

} // namespace fovea::ui
