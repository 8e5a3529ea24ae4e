#pragma once
#include <cstdint>
#include <string>

namespace fovea::lesson {

enum class Unit : std::uint8_t { Count, Share, Token, Bytes, Nats, YesNo, Ratio, Word };

/// What a quantity is on this text and model.
struct Value {
    double number = 0;
    std::string word{}; ///< Unit::Word
    Unit unit = Unit::Count;
    /// As a sentence shows it: "131,328", "23.4 %", "#237", "23,040 bytes".
    [[nodiscard]] std::string shown() const;
};

/// Three significant digits, without an exponent.
[[nodiscard]] std::string threeDigits(double value);
/// A whole number with a comma between thousands.
[[nodiscard]] std::string grouped(double value);

} // namespace fovea::lesson
