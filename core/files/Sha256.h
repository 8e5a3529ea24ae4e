#pragma once
#include "core/base/Cancel.h"
#include "core/files/ByteSource.h"
#include <string>
#include <string_view>

namespace fovea {

/// Lower-case hex SHA-256.
[[nodiscard]] std::string sha256Hex(std::string_view bytes);

/// The same of a whole source, read in pieces of 4 MiB. Errors: Io, Cancelled (polled per piece).
[[nodiscard]] Result<std::string> sha256Hex(const ByteSource& source, const WorkContext& work);

} // namespace fovea
