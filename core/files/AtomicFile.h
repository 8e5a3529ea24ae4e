#pragma once
#include "core/base/Result.h"
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace fovea {

/// Writes a file so that it appears, or replaces an older one, either complete or not at all. Symbolic links
/// are followed and the mode of an existing file is kept. Every file that Fovea writes goes through this
/// class.
///
/// The bytes are written to a file without a name (O_TMPFILE), which the system removes whenever the process
/// ends, even after SIGKILL. commit() syncs it, gives it its name and syncs the folder. While an older file
/// is being replaced, and all the time on file systems without O_TMPFILE, the bytes are in a hidden file
/// beside the target, ".fovea-PID-N.part". It is locked as long as its process lives; create() removes such
/// files without an owner.
///
/// Errors: Io with the path and the system's reason. Throws std::bad_alloc; the file is then as it was. Cost
/// of create(): the folder is listed once.
class AtomicFile {
public:
    /// Where the bytes are until commit().
    enum class Scratch : std::uint8_t {
        Unnamed, ///< without a name; falls back to Named if the file system or /proc does not support it
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
    void discard() noexcept; ///< closes the file and removes its hidden name
    [[nodiscard]] Result<> giveUp(int error);
    [[nodiscard]] bool takeName();

    std::string m_path;   ///< as given, for messages
    std::string m_target; ///< with links followed
    std::string m_folder; ///< of the target
    std::string m_hidden; ///< the hidden name; empty: there is none
    unsigned m_mode = 0;
    int m_fd = -1;
};

/// Writes a whole file with one call, as AtomicFile. Errors: Io, OutOfMemory.
[[nodiscard]] Result<> writeFileAtomically(const std::string& path, std::string_view bytes);
/// The same with what `bytes` returns. OutOfMemory also when memory runs out while it makes them.
[[nodiscard]] Result<> writeFileAtomically(const std::string& path,
                                           const std::function<std::string()>& bytes);

/// Reads a whole regular file. Errors: Io, TooLarge (more than `cap` bytes), OutOfMemory.
[[nodiscard]] Result<std::string> readWholeFile(const std::string& path, std::uint64_t cap);

} // namespace fovea
