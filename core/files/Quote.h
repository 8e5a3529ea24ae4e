#pragma once
#include <string>
#include <string_view>

namespace fovea {

/// Text out of a file, fit for a message: printable ASCII as it is, `\\`, every other byte as `\xE2`, cut to
/// 80 characters.
[[nodiscard]] std::string quoteForMessage(std::string_view bytes);

/// The same between double quotes.
[[nodiscard]] std::string inQuotes(std::string_view bytes);

} // namespace fovea
