#pragma once
#include <string>
#include <string_view>

namespace fovea {

/// One text cell (RFC 4180): quoted if it contains a comma, a quotation mark or a line break, otherwise
/// exactly the text, so that every reader gets the original. A spreadsheet may take a cell like "=1+1" for a
/// formula: let it import the column as text.
[[nodiscard]] std::string csvText(std::string_view text);
/// The shortest decimal that parses to the same number; empty for NaN and infinities.
[[nodiscard]] std::string csvNumber(double value);
[[nodiscard]] std::string csvNumber(float value);

} // namespace fovea
