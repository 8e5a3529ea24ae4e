#include "core/lesson/Value.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace fovea::lesson {

std::string threeDigits(double value) {
    if (!std::isfinite(value))
        return "not a number";
    char text[64];
    std::snprintf(text, sizeof text, "%.2e", value); // rounds first: 0.9999 has the digits of 1.00
    const int exponent = std::atoi(std::strchr(text, 'e') + 1);
    std::snprintf(text, sizeof text, "%.*f", value == 0 ? 0 : std::clamp(2 - exponent, 0, 8), value);
    return text;
}

std::string grouped(double value) {
    char text[64];
    std::snprintf(text, sizeof text, "%.0f", value);
    std::string digits = text;
    const std::size_t sign = digits.starts_with('-') ? 1 : 0;
    for (std::size_t at = digits.size(); at > 3 + sign; at -= 3)
        digits.insert(at - 3, ",");
    return digits;
}

std::string Value::shown() const {
    const bool whole = number == std::floor(number) && std::abs(number) < 1e15;
    switch (unit) {
    case Unit::Word:
        return word;
    case Unit::YesNo:
        return number != 0 ? "yes" : "no";
    case Unit::Token:
        return "#" + grouped(number);
    case Unit::Share:
        return threeDigits(100 * number) + " %";
    case Unit::Bytes:
        return grouped(number) + " bytes";
    case Unit::Nats:
        break;
    case Unit::Ratio:
    case Unit::Count:
        return whole ? grouped(number) : threeDigits(number);
    }
    return threeDigits(number);
}

} // namespace fovea::lesson
