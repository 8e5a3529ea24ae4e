#include "ui/plot/Style.h"
#include "ui/plot/Icons.h"
#include "ui/plot/Rescale.h"
#include "ui/plot/Theme.h"
#include <QPainter>
#include <QPainterPath>
#include <QStyleOption>

namespace fovea::ui {

namespace {

constexpr qreal kCorner = 4;

void panel(QPainter* painter, const QRect& rect, const QColor& fill, const QColor& edge, bool focus) {
    const Theme& theme = Theme::current();
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setBrush(fill);
    painter->setPen(QPen(focus ? theme.accent : edge, scaled(focus ? 2 : 1)));
    const qreal inset = focus ? 1 : 0.5;
    painter->drawRoundedRect(QRectF(rect).adjusted(inset, inset, -inset, -inset), kCorner, kCorner);
    painter->restore();
}

QColor edgeColor(const QStyleOption* option) {
    return option->state.testFlag(QStyle::State_Enabled) ? Theme::current().controlEdge
                                                         : Theme::current().divider;
}

bool focused(const QStyleOption* option) {
    return option->state.testFlag(QStyle::State_HasFocus) && option->state.testFlag(QStyle::State_Enabled);
}

void slider(const QStyleOptionSlider* option, QPainter* painter, const QWidget* widget, const QStyle* style) {
    const Theme& theme = Theme::current();
    const bool enabled = option->state.testFlag(QStyle::State_Enabled);
    const QRect handle = style->subControlRect(QStyle::CC_Slider, option, QStyle::SC_SliderHandle, widget);
    const QPointF centre = QRectF(handle).center();
    const bool horizontal = option->orientation == Qt::Horizontal;
    QRectF groove = option->rect;
    if (horizontal)
        groove = QRectF(groove.left() + 7, centre.y() - 2, groove.width() - 14, 4);
    else
        groove = QRectF(centre.x() - 2, groove.top() + 7, 4, groove.height() - 14);
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(QPen(enabled ? theme.controlEdge : theme.divider, 1));
    painter->setBrush(theme.paper);
    painter->drawRoundedRect(groove, 2, 2);
    if (enabled && horizontal) {
        painter->setPen(Qt::NoPen);
        painter->setBrush(theme.accent);
        painter->drawRoundedRect(QRectF(groove.left(), groove.top(), centre.x() - groove.left(), 4), 2, 2);
    }
    if (focused(option)) {
        painter->setBrush(Qt::NoBrush);
        painter->setPen(QPen(theme.accent, 2));
        painter->drawEllipse(centre, 9.5, 9.5);
    }
    painter->setPen(QPen(enabled ? theme.accent : theme.divider, 2));
    painter->setBrush(theme.panel);
    painter->drawEllipse(centre, 6, 6);
    painter->restore();
}

void arrowDown(QPainter* painter, const QRectF& rect, const QColor& colour) {
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    QPen pen(colour, 1.5);
    pen.setCapStyle(Qt::RoundCap);
    pen.setJoinStyle(Qt::RoundJoin);
    painter->setPen(pen);
    const QPointF c = rect.center();
    const QPointF points[] = {{c.x() - 3.5, c.y() - 1.5}, {c.x(), c.y() + 2}, {c.x() + 3.5, c.y() - 1.5}};
    painter->drawPolyline(points, 3);
    painter->restore();
}

} // namespace

Style::Style() : QProxyStyle(QStringLiteral("Fusion")) {}

void Style::drawPrimitive(PrimitiveElement element, const QStyleOption* option, QPainter* painter,
                          const QWidget* widget) const {
    const Theme& theme = Theme::current();
    switch (element) {
    case PE_FrameLineEdit:
        panel(painter, option->rect, Qt::transparent, edgeColor(option), focused(option));
        return;
    case PE_PanelLineEdit: {
        const auto* frame = qstyleoption_cast<const QStyleOptionFrame*>(option);
        const bool enabled = option->state.testFlag(State_Enabled);
        if (frame != nullptr && frame->lineWidth > 0)
            panel(painter, option->rect, enabled ? theme.paper : theme.panel, edgeColor(option),
                  focused(option));
        return;
    }
    case PE_PanelButtonCommand:
    case PE_PanelButtonTool: {
        const auto* button = qstyleoption_cast<const QStyleOptionButton*>(option);
        const bool down = option->state.testFlag(State_Sunken) || option->state.testFlag(State_On);
        const bool hover = option->state.testFlag(State_MouseOver) && option->state.testFlag(State_Enabled);
        const bool flat = (button != nullptr && button->features.testFlag(QStyleOptionButton::Flat)) ||
                          (element == PE_PanelButtonTool && option->state.testFlag(State_AutoRaise));
        if (flat && !down && !hover && !focused(option))
            return;
        const QColor fill = down ? theme.divider : hover ? theme.window : theme.panel;
        panel(painter, option->rect, fill, flat ? QColor(Qt::transparent) : edgeColor(option),
              focused(option));
        return;
    }
    case PE_FrameFocusRect: // buttons, boxes and sliders draw their own ring
        if (widget != nullptr && (widget->inherits("QAbstractButton") || widget->inherits("QSlider"))) {
            if (!widget->inherits("QCheckBox") && !widget->inherits("QRadioButton"))
                return;
        }
        painter->save();
        painter->setRenderHint(QPainter::Antialiasing);
        painter->setBrush(Qt::NoBrush);
        painter->setPen(QPen(theme.accent, 2));
        painter->drawRoundedRect(QRectF(option->rect).adjusted(1, 1, -1, -1), kCorner, kCorner);
        painter->restore();
        return;
    case PE_IndicatorCheckBox: {
        const bool enabled = option->state.testFlag(State_Enabled);
        const bool on = option->state.testFlag(State_On);
        const QColor fill = on && enabled ? theme.accent : theme.paper;
        panel(painter, option->rect, fill, on && enabled ? theme.accent : edgeColor(option), false);
        if (on) {
            painter->save();
            painter->setRenderHint(QPainter::Antialiasing);
            QPen pen(enabled ? (theme.dark ? theme.window : theme.paper) : theme.ink3, 2);
            pen.setCapStyle(Qt::RoundCap);
            pen.setJoinStyle(Qt::RoundJoin);
            painter->setPen(pen);
            const QRectF r = option->rect;
            const QPointF points[] = {{r.left() + r.width() * 0.25, r.top() + r.height() * 0.52},
                                      {r.left() + r.width() * 0.43, r.top() + r.height() * 0.70},
                                      {r.left() + r.width() * 0.76, r.top() + r.height() * 0.32}};
            painter->drawPolyline(points, 3);
            painter->restore();
        }
        return;
    }
    default:
        QProxyStyle::drawPrimitive(element, option, painter, widget);
    }
}

void Style::drawComplexControl(ComplexControl control, const QStyleOptionComplex* option, QPainter* painter,
                               const QWidget* widget) const {
    if (control == CC_Slider) {
        if (const auto* s = qstyleoption_cast<const QStyleOptionSlider*>(option)) {
            slider(s, painter, widget, proxy());
            return;
        }
    }
    if (control == CC_ComboBox) {
        const auto* combo = qstyleoption_cast<const QStyleOptionComboBox*>(option);
        if (combo != nullptr && !combo->editable) {
            const Theme& theme = Theme::current();
            const bool hover =
                option->state.testFlag(State_MouseOver) && option->state.testFlag(State_Enabled);
            panel(painter, option->rect, hover ? theme.window : theme.panel, edgeColor(option),
                  focused(option));
            const QRect arrow = proxy()->subControlRect(CC_ComboBox, option, SC_ComboBoxArrow, widget);
            arrowDown(painter, arrow, option->state.testFlag(State_Enabled) ? theme.ink2 : theme.ink3);
            return;
        }
    }
    QProxyStyle::drawComplexControl(control, option, painter, widget);
    if (control == CC_SpinBox) // the base style's own outline is lost on a dark window
        panel(painter, option->rect, Qt::transparent, edgeColor(option), focused(option));
}

void Style::drawControl(ControlElement element, const QStyleOption* option, QPainter* painter,
                        const QWidget* widget) const {
    if (element == CE_ToolBar || element == CE_MenuBarEmptyArea) {
        const Theme& theme = Theme::current();
        painter->fillRect(option->rect, theme.panel);
        if (element == CE_ToolBar) {
            const auto* bar = qstyleoption_cast<const QStyleOptionToolBar*>(option);
            const bool below = bar != nullptr && bar->toolBarArea == Qt::BottomToolBarArea;
            painter->setPen(theme.divider);
            const int y = below ? option->rect.top() : option->rect.bottom();
            painter->drawLine(option->rect.left(), y, option->rect.right(), y);
        }
        return;
    }
    if (element == CE_MenuBarItem) {
        if (const auto* item = qstyleoption_cast<const QStyleOptionMenuItem*>(option)) {
            QStyleOptionMenuItem onPanel = *item;
            onPanel.palette.setColor(QPalette::Window, Theme::current().panel);
            QProxyStyle::drawControl(element, &onPanel, painter, widget);
            return;
        }
    }
    if (element == CE_DockWidgetTitle) {
        if (const auto* dock = qstyleoption_cast<const QStyleOptionDockWidget*>(option)) {
            const Theme& theme = Theme::current();
            painter->save();
            painter->fillRect(dock->rect, theme.window);
            painter->setPen(theme.divider);
            painter->drawLine(dock->rect.bottomLeft(), dock->rect.bottomRight());
            painter->setPen(theme.ink);
            painter->setFont(Theme::section());
            const QRect text =
                proxy()->subElementRect(SE_DockWidgetTitleBarText, option, widget).adjusted(4, 0, 0, 0);
            const QString shown =
                painter->fontMetrics().elidedText(dock->title, Qt::ElideRight, text.width());
            painter->drawText(text, Qt::AlignLeft | Qt::AlignVCenter | Qt::TextSingleLine, shown);
            painter->restore();
            return;
        }
    }
    QProxyStyle::drawControl(element, option, painter, widget);
}

int Style::pixelMetric(PixelMetric metric, const QStyleOption* option, const QWidget* widget) const {
    switch (metric) {
    case PM_DockWidgetSeparatorExtent:
        return 5;
    case PM_DockWidgetTitleMargin:
        return 5;
    case PM_DockWidgetTitleBarButtonMargin:
        return 3;
    case PM_SliderThickness:
    case PM_SliderControlThickness:
        return 24; // a target of 24 px; the thumb itself is drawn smaller
    case PM_SliderLength:
        return 20;
    default:
        return QProxyStyle::pixelMetric(metric, option, widget);
    }
}

QIcon Style::standardIcon(StandardPixmap which, const QStyleOption* option, const QWidget* widget) const {
    // Fusion's own are black pixmaps that vanish in the dark theme.
    if (which == SP_TitleBarCloseButton || which == SP_LineEditClearButton)
        return icon(QStringLiteral("close"));
    if (which == SP_TitleBarNormalButton)
        return icon(QStringLiteral("float"));
    return QProxyStyle::standardIcon(which, option, widget);
}

int Style::styleHint(StyleHint hint, const QStyleOption* option, const QWidget* widget,
                     QStyleHintReturn* data) const {
    if (hint == SH_Slider_AbsoluteSetButtons)
        return Qt::LeftButton; // a click on the groove goes there
    if (hint == SH_Slider_PageSetButtons)
        return Qt::NoButton;
    if (hint == SH_ToolTip_WakeUpDelay)
        return 400;
    if (hint == SH_ComboBox_Popup)
        return 0; // a list below the box with a scroll bar: Fusion's menu covers the screen with sixty
                  // presets
    return QProxyStyle::styleHint(hint, option, widget, data);
}

} // namespace fovea::ui
