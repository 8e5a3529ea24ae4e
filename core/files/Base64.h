#pragma once
#include "core/base/Result.h"
#include <string>
#include <string_view>

namespace fovea {

/// Base64 (RFC 4648, section 4) with padding, on one line.
[[nodiscard]] std::string toBase64(std::string_view bytes);

/// The bytes back. BadValue for a length that is no multiple of 4, characters outside the alphabet, white
/// space included, and padding elsewhere than at the end.
[[nodiscard]] Result<std::string> fromBase64(std::string_view text);

} // namespace fovea
