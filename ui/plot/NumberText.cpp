#include "ui/plot/NumberText.h"
#include <algorithm>
#include <cmath>

namespace fovea::ui {

QString threeDigits(double value) {
    if (value == 0 || !std::isfinite(value))
        return QString::number(value);
    const double magnitude = std::abs(value);
    if (magnitude < 1e-4 || magnitude >= 1e6)
        return QString::number(value, 'e', 2);
    const int whole = static_cast<int>(std::floor(std::log10(magnitude)));
    return QString::number(value, 'f', std::max(0, 2 - whole));
}

QString signedThreeDigits(double value) {
    return (value < 0 ? QString(QChar(0x2212)) : QStringLiteral("+")) + threeDigits(std::abs(value));
}

} // namespace fovea::ui
