#pragma once
#include "core/measure/MapTile.h"
#include <QColor>
#include <QFont>
#include <QObject>
#include <QPalette>
#include <array>

namespace fovea::ui {

enum class ThemeKind { System, Light, Dark };

/// Colours and fonts of the whole window and of exported pictures. A value; the current one is
/// Theme::current().
struct Theme {
    bool dark = false;
    QColor window, panel, paper, divider, controlEdge, ink, ink2, ink3, good, warning, bad, armA, armB,
        accent;
    QColor skippedLine, impossible;
    std::array<QColor, 5> reason; ///< local, always, routed key, far, routed query
    [[nodiscard]] QColor reasonColor(Reason r, Role role = Role::Keys) const;
    /// Lines and dots over the map and behind words. No darker (dark theme: no lighter) than a weight of
    /// 0.001, so that what is not read never outweighs what is.
    [[nodiscard]] QColor texture() const;
    /// Dots over weights near 0: between the ramp's end and `texture`, so that dots and lines stay apart in
    /// grey.
    [[nodiscard]] QColor dot() const;
    [[nodiscard]] QPalette palette() const;
    [[nodiscard]] static Theme light();
    [[nodiscard]] static Theme darkTheme();
    /// Resolves System by comparing window and text lightness of the platform palette.
    [[nodiscard]] static Theme resolve(ThemeKind kind);

    [[nodiscard]] static const Theme& current();
    /// Sets the current theme and the palette and fonts of the application; emits ThemeSignals::themeChanged.
    static void apply(const Theme& theme);
    [[nodiscard]] static QFont body();    ///< 13 px
    [[nodiscard]] static QFont second();  ///< 12 px
    [[nodiscard]] static QFont section(); ///< 13 px bold
    [[nodiscard]] static QFont title();   ///< 15 px bold
    [[nodiscard]] static QFont axis();    ///< 11 px
    [[nodiscard]] static QFont mono();    ///< numbers and tokens, 12 px
};

/// Emits when the theme changes; views redraw, nothing recomputes.
class ThemeSignals : public QObject {
    Q_OBJECT
public:
    [[nodiscard]] static ThemeSignals& instance();
signals:
    void themeChanged();
};

/// A 256-entry lookup table over a 9-stop ramp interpolated in OKLab.
class Ramp {
public:
    [[nodiscard]] static const Ramp& weights(const Theme& theme);
    [[nodiscard]] static const Ramp& signedDifference(const Theme& theme); ///< less, same, more
    [[nodiscard]] QRgb at(float unit) const                                ///< unit in 0..1, clipped
    {
        const float x = unit < 0 ? 0 : unit > 1 ? 1 : unit;
        return m_table[static_cast<std::size_t>(x * 255.0F + 0.5F)];
    }
    [[nodiscard]] const std::array<QRgb, 256>& table() const { return m_table; }
    explicit Ramp(const std::array<QRgb, 9>& stops);

private:
    std::array<QRgb, 256> m_table{};
};

} // namespace fovea::ui
