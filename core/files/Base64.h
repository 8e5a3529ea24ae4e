#pragma once
#include "core/base/Result.h"
#include <string>
#include <string_view>

namespace fovea {

/// Base64 (RFC 4648, section 4) with padding, on one line.
[[nodiscard]] std::string toBase64(std::string_view bytes);

/// Decodes base64. BadValue for a length that is not a multiple of 4, for characters outside the alphabet
/// (including white space), and for padding that is not at the end.
[[nodiscard]] Result<std::string> fromBase64(std::string_view text);

} // namespace fovea
