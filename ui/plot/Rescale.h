#pragma once

namespace fovea::ui {

/// The scale of projector mode: type, lines and controls are 1.5 times as large.
inline constexpr double kProjectorScale = 1.5;

/// The scale of the window: 1, or kProjectorScale. GUI thread only, as all of this.
[[nodiscard]] double displayScale();
/// A length or the width of a line, given for scale 1.
[[nodiscard]] double scaled(double pixels);
/// The size of type, given for scale 1: above scale 1 at least 18 px, to be read from the last row.
[[nodiscard]] int scaledType(int pixels);

/// Changes the scale, and brings what all widgets were given until now to it: fonts of their own, fixed and
/// least heights, widths of small controls, rows of tables. Back at scale 1 every widget has what it had
/// before, but for limits that it has changed itself meanwhile. Sizes that follow from fonts follow by
/// themselves, and windows keep their size. A widget that is made later takes its limits from scaled(), and
/// one that computes its limits does so again when the theme changes. Call Theme::apply afterwards, which
/// sets the application's font.
void setDisplayScale(double scale);

} // namespace fovea::ui
