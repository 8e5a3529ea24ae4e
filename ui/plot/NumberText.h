#pragma once
#include <QString>
#include <concepts>
#include <cstdint>
#include <string_view>

namespace fovea::ui {

/// Three significant digits, no exponent for usual sizes: "0.0312", "412", "1.60e-05", "nan".
[[nodiscard]] QString threeDigits(double value);
/// The same with its sign, a true minus: "+0.0014".
[[nodiscard]] QString signedThreeDigits(double value);
/// A count with its thousands apart: "16,384".
[[nodiscard]] QString groupedCount(std::uint64_t count);
template <std::integral T>
[[nodiscard]] QString grouped(T count) {
    return groupedCount(static_cast<std::uint64_t>(count));
}

/// UTF-8 of core as Qt has it.
[[nodiscard]] QString text(std::string_view utf8);

} // namespace fovea::ui
