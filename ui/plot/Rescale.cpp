#include "ui/plot/Rescale.h"
#include <QApplication>
#include <QHeaderView>
#include <QWidget>
#include <algorithm>

namespace fovea::ui {

namespace {

constexpr const char* kFontAtOne = "fontAtScaleOne";
constexpr int kSmall = 64;       ///< controls up to this width at scale 1 have it for their text or icon
constexpr int kLeastScaled = 18; ///< px of type above scale 1

double& currentScale() {
    static double scale = 1;
    return scale;
}

int times(int length, double factor) {
    return qRound(length * factor);
}

/// A font that was set on the widget itself. Its size at scale 1 is kept, so that no rounding adds up.
void rescaleFont(QWidget& widget, double from) {
    if (!widget.testAttribute(Qt::WA_SetFont) || widget.font().pixelSize() <= 0)
        return;
    if (from == 1)
        widget.setProperty(kFontAtOne, widget.font().pixelSize());
    const QVariant known = widget.property(kFontAtOne);
    const int atOne = known.isValid() ? known.toInt() : times(widget.font().pixelSize(), 1 / from);
    QFont font = widget.font();
    font.setPixelSize(scaledType(atOne));
    widget.setFont(font);
}

void rescaleLengths(QWidget& widget, double factor, double from) {
    const QSize least = widget.minimumSize(), most = widget.maximumSize();
    const bool small = least.width() <= kSmall * from;
    const bool fixedWidth = least.width() == most.width();
    // The larger limit first, so that neither pushes the other.
    const auto height = [&] {
        if (most.height() < QWIDGETSIZE_MAX)
            widget.setMaximumHeight(std::max(times(most.height(), factor), 1));
    };
    if (factor > 1)
        height();
    if (least.height() > 0 && least.height() <= 4 * kSmall * from)
        widget.setMinimumHeight(times(least.height(), factor));
    if (factor < 1)
        height();
    if (least.width() > 0 && small) {
        if (fixedWidth)
            widget.setFixedWidth(times(least.width(), factor));
        else
            widget.setMinimumWidth(times(least.width(), factor));
    }
}

} // namespace

double displayScale() {
    return currentScale();
}

double scaled(double pixels) {
    return pixels * currentScale();
}

int scaledType(int pixels) {
    return currentScale() > 1 ? std::max(kLeastScaled, qRound(pixels * currentScale())) : pixels;
}

void setDisplayScale(double scale) {
    const double from = std::exchange(currentScale(), scale);
    const double factor = scale / from;
    if (factor == 1)
        return;
    for (QWidget* widget : QApplication::allWidgets()) {
        rescaleFont(*widget, from);
        if (auto* header = qobject_cast<QHeaderView*>(widget); header != nullptr)
            header->setDefaultSectionSize(times(header->defaultSectionSize(), factor));
        if (!widget->isWindow())
            rescaleLengths(*widget, factor, from);
    }
}

} // namespace fovea::ui
