#pragma once
#include "core/base/Result.h"
#include <cstdint>
#include <string>
#include <string_view>

namespace fovea {

/// A file that appears, or replaces an older one, whole or not at all. Links are followed, modes kept. Every
/// file Fovea writes goes through here.
///
/// The bytes wait in a file without a name (O_TMPFILE), which the system removes however the process ends,
/// also after SIGKILL. commit() syncs it, gives it its name and syncs the folder. Only for the moment in
/// which an older file is replaced, and for the whole time on file systems without such files, the bytes
/// stand under a hidden name beside the target, ".fovea-PID-N.part". It is locked while its owner lives;
/// create() removes those without an owner.
///
/// Errors: Io with the path and the system's reason. Cost of create(): one reading of the folder.
class AtomicFile {
public:
    /// Where the bytes wait for commit().
    enum class Scratch : std::uint8_t {
        Unnamed, ///< without a name; where the file system or /proc is missing, as Named
        Named,   ///< under a hidden name
    };
    [[nodiscard]] static Result<AtomicFile> create(const std::string& path,
                                                   Scratch scratch = Scratch::Unnamed);
    ~AtomicFile(); ///< without commit() nothing is left behind
    AtomicFile(AtomicFile&& other) noexcept;
    AtomicFile& operator=(AtomicFile&&) = delete;

    [[nodiscard]] Result<> append(std::string_view bytes);
    /// Makes the file appear. Nothing may be appended afterwards.
    [[nodiscard]] Result<> commit();

private:
    AtomicFile() = default;
    [[nodiscard]] Result<> giveUp(int error);
    [[nodiscard]] bool takeName();

    std::string m_path;   ///< as given, for messages
    std::string m_target; ///< with links followed
    std::string m_folder; ///< of the target
    std::string m_hidden; ///< the hidden name; empty: there is none
    unsigned m_mode = 0;
    int m_fd = -1;
};

/// All of it at once.
[[nodiscard]] Result<> writeFileAtomically(const std::string& path, std::string_view bytes);

/// Reads a regular file whole; Io or TooLarge (above `cap` bytes).
[[nodiscard]] Result<std::string> readWholeFile(const std::string& path, std::uint64_t cap);

} // namespace fovea
