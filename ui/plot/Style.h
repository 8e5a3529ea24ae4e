#pragma once
#include <QProxyStyle>

namespace fovea::ui {

/// Pixels, of lists and tables: the least that is easy to hit.
inline constexpr int kTableRow = 24;

/// The Fusion style with other outlines: a contrast of at least 3:1 on every surface in both themes, corners
/// of 4 px, and a focus ring of 2 px in the accent colour. Uses Theme::current() at every paint, so it
/// follows a change of theme.
class Style : public QProxyStyle {
    Q_OBJECT
public:
    Style();
    void drawPrimitive(PrimitiveElement element, const QStyleOption* option, QPainter* painter,
                       const QWidget* widget) const override;
    void drawComplexControl(ComplexControl control, const QStyleOptionComplex* option, QPainter* painter,
                            const QWidget* widget) const override;
    void drawControl(ControlElement element, const QStyleOption* option, QPainter* painter,
                     const QWidget* widget) const override;
    [[nodiscard]] int pixelMetric(PixelMetric metric, const QStyleOption* option,
                                  const QWidget* widget) const override;
    [[nodiscard]] QIcon standardIcon(StandardPixmap which, const QStyleOption* option,
                                     const QWidget* widget) const override;
    [[nodiscard]] int styleHint(StyleHint hint, const QStyleOption* option, const QWidget* widget,
                                QStyleHintReturn* data) const override;
};

} // namespace fovea::ui
