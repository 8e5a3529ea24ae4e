#include "ui/lesson/FocusRing.h"
#include "ui/plot/Rescale.h"
#include "ui/plot/Theme.h"
#include <QEvent>
#include <QPainter>

namespace fovea::ui {

namespace {

constexpr int kRoom = 3; ///< between widget and frame

} // namespace

FocusRing::FocusRing(QWidget* window) : QWidget(window) {
    setObjectName(QStringLiteral("lesson.ring"));
    setAttribute(Qt::WA_TransparentForMouseEvents);
    setFocusPolicy(Qt::NoFocus);
    window->installEventFilter(this);
    hide();
}

void FocusRing::follow(QWidget* target) {
    if (m_target != nullptr && m_target != target)
        m_target->removeEventFilter(this);
    m_target = target;
    if (m_target != nullptr)
        m_target->installEventFilter(this);
    place();
}

void FocusRing::place() {
    if (m_target == nullptr || !m_target->isVisible()) {
        hide();
        return;
    }
    const QPoint at = m_target->mapTo(parentWidget(), QPoint());
    setGeometry(QRect(at, m_target->size())
                    .adjusted(-kRoom, -kRoom, kRoom, kRoom)
                    .intersected(parentWidget()->rect()));
    show();
    raise();
    update();
}

bool FocusRing::eventFilter(QObject* watched, QEvent* event) {
    switch (event->type()) {
    case QEvent::Move:
    case QEvent::Resize:
    case QEvent::Show:
    case QEvent::Hide:
    case QEvent::LayoutRequest:
        // After the layout has settled.
        QMetaObject::invokeMethod(this, &FocusRing::place, Qt::QueuedConnection);
        break;
    default:
        break;
    }
    return QWidget::eventFilter(watched, event);
}

void FocusRing::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(Theme::current().accent, scaled(3)));
    const double inset = scaled(1.5);
    painter.drawRoundedRect(QRectF(rect()).adjusted(inset, inset, -inset, -inset), 6, 6);
}

} // namespace fovea::ui
