#pragma once
#include "core/base/Result.h"
#include <string>
#include <string_view>

namespace fovea {

/// Replaces `path` whole or not at all: temporary file in the same folder, write, fsync, rename, fsync of the folder.
/// Links are followed, modes kept. Io names the path and the system's reason. Every file Fovea writes goes through here.
[[nodiscard]] Result<> writeFileAtomically(const std::string& path, std::string_view bytes);

/// Reads a regular file whole; Io or TooLarge (above `cap` bytes).
[[nodiscard]] Result<std::string> readWholeFile(const std::string& path, std::uint64_t cap);

/// Lower-case hex SHA-256.
[[nodiscard]] std::string sha256Hex(std::string_view bytes);

} // namespace fovea
