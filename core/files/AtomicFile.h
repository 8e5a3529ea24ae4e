#pragma once
#include "core/base/Result.h"
#include <cstdint>
#include <string>
#include <string_view>

namespace fovea {

/// A file that appears, or replaces an older one, whole or not at all: temporary file in the same folder,
/// write, fsync, rename, fsync of the folder. Links are followed, modes kept. Errors: Io with the path and
/// the system's reason. Without commit() nothing is left behind. Every file Fovea writes goes through here.
class AtomicFile {
public:
    [[nodiscard]] static Result<AtomicFile> create(const std::string& path);
    ~AtomicFile();
    AtomicFile(AtomicFile&& other) noexcept;
    AtomicFile& operator=(AtomicFile&&) = delete;

    [[nodiscard]] Result<> append(std::string_view bytes);
    /// Makes the file appear. Nothing may be appended afterwards.
    [[nodiscard]] Result<> commit();

private:
    AtomicFile() = default;
    [[nodiscard]] Result<> giveUp(int error);

    std::string m_path;      ///< as given, for messages
    std::string m_target;    ///< with links followed
    std::string m_temporary; ///< empty once committed or given up
    unsigned m_mode = 0;
    int m_fd = -1;
};

/// All of it at once.
[[nodiscard]] Result<> writeFileAtomically(const std::string& path, std::string_view bytes);

/// Reads a regular file whole; Io or TooLarge (above `cap` bytes).
[[nodiscard]] Result<std::string> readWholeFile(const std::string& path, std::uint64_t cap);

/// Lower-case hex SHA-256.
[[nodiscard]] std::string sha256Hex(std::string_view bytes);

} // namespace fovea
