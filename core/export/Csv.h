#pragma once
#include <string>
#include <string_view>

namespace fovea {

/// One text cell (RFC 4180). A cell that a spreadsheet would run as a formula (= + - @ tab CR in front) is
/// quoted and gets a leading apostrophe.
[[nodiscard]] std::string csvText(std::string_view text);
/// Shortest decimal that reads back to the same number; empty for NaN and infinities.
[[nodiscard]] std::string csvNumber(double value);
[[nodiscard]] std::string csvNumber(float value);

} // namespace fovea
