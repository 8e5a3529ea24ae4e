#pragma once
#include <string>
#include <string_view>

namespace fovea {

/// Makes bytes from a file fit for a message: printable ASCII stays, a backslash becomes `\\`, every other
/// byte becomes `\xE2` in hexadecimal; the result is cut to 80 characters.
[[nodiscard]] std::string quoteForMessage(std::string_view bytes);

/// The same, in double quotes.
[[nodiscard]] std::string inQuotes(std::string_view bytes);

/// A number of a message, to nine digits.
[[nodiscard]] std::string numberText(double value);

} // namespace fovea
