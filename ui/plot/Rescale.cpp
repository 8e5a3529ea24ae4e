#include "ui/plot/Rescale.h"
#include <QApplication>
#include <QHeaderView>
#include <QVariant>
#include <QWidget>
#include <algorithm>
#include <utility>

namespace fovea::ui {

namespace {

constexpr const char* kKept = "keptAtScaleOne";
constexpr int kSmallWidth = 64, kSmallHeight = 256; ///< controls up to these sizes at scale 1 are enlarged
constexpr int kLeastScaled = 18;                    ///< px of type above scale 1

double& currentScale() {
    static double scale = 1;
    return scale;
}

int typeAt(double scale, int pixels) {
    return scale > 1 ? std::max(kLeastScaled, qRound(pixels * scale)) : pixels;
}

struct Limits {
    QSize least, most;
};
Limits limitsOf(const QWidget& widget) {
    return {widget.minimumSize(), widget.maximumSize()};
}

/// What a widget had at scale 1, and what it was given instead.
struct Kept {
    int font = 0;    ///< px of its own font; 0: it has none
    int section = 0; ///< of a header
    Limits before, after;
};

/// The limits of one direction as they are at another scale.
void enlarge(int& least, int& most, int small, double scale) {
    const bool fixed = least == most;
    if (least > 0 && least <= small)
        least = qRound(least * scale);
    most = fixed ? least : most;
}

void enlarge(QWidget& widget, double scale) {
    Kept kept;
    if (widget.testAttribute(Qt::WA_SetFont) && widget.font().pixelSize() > 0) {
        QFont font = widget.font();
        kept.font = font.pixelSize();
        font.setPixelSize(typeAt(scale, kept.font));
        widget.setFont(font);
    }
    if (auto* header = qobject_cast<QHeaderView*>(&widget)) {
        kept.section = header->defaultSectionSize();
        header->setDefaultSectionSize(qRound(kept.section * scale));
    }
    kept.before = limitsOf(widget);
    if (!widget.isWindow()) {
        QSize least = kept.before.least, most = kept.before.most;
        enlarge(least.rwidth(), most.rwidth(), kSmallWidth, scale);
        enlarge(least.rheight(), most.rheight(), kSmallHeight, scale);
        if (most.height() == kept.before.most.height() && most.height() < QWIDGETSIZE_MAX)
            most.setHeight(std::max(qRound(most.height() * scale), 1));
        widget.setMaximumSize(most);
        widget.setMinimumSize(least);
    }
    kept.after = limitsOf(widget);
    widget.setProperty(kKept, QVariant::fromValue(kept));
}

/// `now`, unless it is still what enlarge() has set.
int restored(int now, int after, int before) {
    return now == after ? before : now;
}

QSize restored(QSize now, QSize after, QSize before) {
    return {restored(now.width(), after.width(), before.width()),
            restored(now.height(), after.height(), before.height())};
}

void restore(QWidget& widget, double from) {
    const QVariant property = widget.property(kKept);
    const Kept kept = property.value<Kept>();
    if (widget.testAttribute(Qt::WA_SetFont) && widget.font().pixelSize() > 0) {
        QFont font = widget.font();
        const bool same = kept.font > 0 && typeAt(from, kept.font) == font.pixelSize();
        font.setPixelSize(same ? kept.font : qRound(font.pixelSize() / from));
        widget.setFont(font);
    }
    if (!property.isValid())
        return;
    if (auto* header = qobject_cast<QHeaderView*>(&widget))
        header->setDefaultSectionSize(kept.section);
    const Limits now = limitsOf(widget);
    widget.setMinimumSize(restored(now.least, kept.after.least, kept.before.least));
    widget.setMaximumSize(restored(now.most, kept.after.most, kept.before.most));
    widget.setProperty(kKept, QVariant());
}

} // namespace

double displayScale() {
    return currentScale();
}

double scaled(double pixels) {
    return pixels * currentScale();
}

int scaledType(int pixels) {
    return typeAt(currentScale(), pixels);
}

void setDisplayScale(double scale) {
    const double from = std::exchange(currentScale(), scale);
    if (from == scale)
        return;
    for (QWidget* widget : QApplication::allWidgets()) {
        if (from != 1)
            restore(*widget, from);
        if (scale != 1)
            enlarge(*widget, scale);
    }
}

} // namespace fovea::ui
