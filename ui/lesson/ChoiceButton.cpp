#include "ui/lesson/ChoiceButton.h"
#include "ui/plot/Rescale.h"
#include "ui/plot/Theme.h"
#include <QPainter>

namespace fovea::ui {

namespace {

constexpr int kMargin = 8;
constexpr int kFlags = Qt::TextWordWrap | Qt::AlignLeft | Qt::AlignVCenter;

} // namespace

ChoiceButton::ChoiceButton(const QString& text, QWidget* parent) : QAbstractButton(parent) {
    setText(text);
    setAccessibleName(text);
    setFocusPolicy(Qt::StrongFocus);
    QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
}

void ChoiceButton::setVerdict(Verdict verdict) {
    m_verdict = verdict;
    setEnabled(verdict == Verdict::Open);
    setAccessibleName(shown());
    updateGeometry();
    update();
}

QString ChoiceButton::shown() const {
    return m_verdict == Verdict::Right         ? tr("%1 (this is it)").arg(text())
           : m_verdict == Verdict::ChosenWrong ? tr("%1 (your answer)").arg(text())
                                               : text();
}

QSize ChoiceButton::sizeHint() const {
    return {200, heightForWidth(200)};
}

int ChoiceButton::heightForWidth(int width) const {
    const QRect room(0, 0, std::max(40, width - 2 * kMargin), 10000);
    return std::max(28, fontMetrics().boundingRect(room, kFlags, shown()).height() + 2 * kMargin - 2);
}

void ChoiceButton::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::current();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const bool open = m_verdict == Verdict::Open;
    const QColor edge = m_verdict == Verdict::Right         ? theme.good
                        : m_verdict == Verdict::ChosenWrong ? theme.bad
                        : hasFocus() || underMouse()        ? theme.accent
                                                            : theme.controlEdge;
    const bool strong = !open && m_verdict != Verdict::Other;
    painter.setPen(QPen(edge, scaled(hasFocus() || strong ? 2 : 1)));
    painter.setBrush(isDown() ? theme.divider : theme.paper);
    painter.drawRoundedRect(QRectF(rect()).adjusted(1, 1, -1, -1), 4, 4);
    painter.setPen(open || strong ? theme.ink : theme.ink2);
    painter.drawText(rect().adjusted(kMargin, 2, -kMargin, -2), kFlags, shown());
}

} // namespace fovea::ui
