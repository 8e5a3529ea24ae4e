#include "ui/plot/NumberText.h"
#include <QLocale>
#include <algorithm>
#include <cmath>

namespace fovea::ui {

QString threeDigits(double value) {
    if (value == 0 || !std::isfinite(value))
        return QString::number(value);
    // The exponent after rounding decides: 0.09996 is 0.100, and the float 1e-4 is 0.000100.
    const QString rounded = QString::number(value, 'e', 2);
    const int exponent = rounded.mid(rounded.indexOf(QLatin1Char('e')) + 1).toInt();
    if (exponent < -4 || exponent > 5)
        return rounded;
    return QString::number(rounded.toDouble(), 'f', std::max(0, 2 - exponent));
}

QString signedThreeDigits(double value) {
    return (value < 0 ? QString(QChar(0x2212)) : QStringLiteral("+")) + threeDigits(std::abs(value));
}

QString groupedCount(std::uint64_t count) {
    return QLocale(QLocale::English).toString(static_cast<qulonglong>(count));
}

QString text(std::string_view utf8) {
    return QString::fromUtf8(utf8.data(), static_cast<qsizetype>(utf8.size()));
}

} // namespace fovea::ui
