#pragma once
#include <QString>

namespace fovea::ui {

/// Three significant digits, no exponent for usual sizes: "0.0312", "412", "1.60e-05", "nan".
[[nodiscard]] QString threeDigits(double value);
/// The same with its sign, a true minus: "+0.0014".
[[nodiscard]] QString signedThreeDigits(double value);

} // namespace fovea::ui
