#include "core/files/AtomicFile.h"
#include "core/base/OutOfMemory.h"
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace fovea {

namespace {

/// Closes on every path out.
class Descriptor {
public:
    explicit Descriptor(int fd) : m_fd(fd) {}
    ~Descriptor() { close(); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return m_fd; }
    [[nodiscard]] bool valid() const { return m_fd >= 0; }
    [[nodiscard]] int release() { return std::exchange(m_fd, -1); }
    bool close() {
        const int fd = release();
        return fd < 0 || ::close(fd) == 0;
    }

private:
    int m_fd;
};

tl::unexpected<Error> ioError(const std::string& verb, const std::string& path, int error) {
    return fail(ErrorCode::Io, "cannot " + verb + " " + path + ": " + std::strerror(error));
}

bool writeAll(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

constexpr std::string_view kHiddenBegin = ".fovea-";
constexpr std::string_view kHiddenEnd = ".part";

std::string hiddenName(const std::string& folder, int n) {
    return (std::filesystem::path(folder) / (std::string(kHiddenBegin) + std::to_string(::getpid()) + "-" +
                                             std::to_string(n) + std::string(kHiddenEnd)))
        .string();
}

/// Removes hidden files whose owner is gone: nobody holds their lock. Allocates nothing that could throw:
/// std::filesystem::directory_iterator would end the process when there is no memory for a name.
void removeAbandoned(const std::string& folder) {
    DIR* listed = ::opendir(folder.c_str());
    if (listed == nullptr)
        return;
    const int in = ::dirfd(listed);
    while (const dirent* entry = ::readdir(listed)) {
        const std::string_view name = entry->d_name;
        if (!name.starts_with(kHiddenBegin) || !name.ends_with(kHiddenEnd))
            continue;
        const Descriptor file(::openat(in, entry->d_name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        if (file.valid() && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0)
            ::unlinkat(in, entry->d_name, 0);
    }
    ::closedir(listed);
}

/// The name of an open file that has no other.
std::string pathOf(int fd) {
    return "/proc/self/fd/" + std::to_string(fd);
}

/// -1 where the file system or /proc, which commit() needs, is missing.
int openUnnamed(const std::string& folder) {
    Descriptor file(::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    const bool usable = file.valid() && ::access(pathOf(file.get()).c_str(), F_OK) == 0 &&
                        ::flock(file.get(), LOCK_EX | LOCK_NB) == 0;
    return usable ? file.release() : -1;
}

/// -1 with errno; else `name` says where.
int openNamed(const std::string& folder, std::string& name) {
    for (int n = 0;; ++n) {
        name = hiddenName(folder, n);
        const int fd = ::open(name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0 && errno == EEXIST)
            continue;
        if (fd < 0)
            return -1;
        // Until it is locked, another process may take it for abandoned. Then it has no name any more.
        struct stat info {};
        ::flock(fd, LOCK_EX);
        if (::fstat(fd, &info) != 0 || info.st_nlink > 0)
            return fd;
        ::close(fd);
    }
}

} // namespace

Result<AtomicFile> AtomicFile::create(const std::string& path, Scratch scratch) {
    AtomicFile file;
    file.m_path = path;
    std::error_code ignored;
    std::filesystem::path target(path);
    // One link after the other, since the last may lead to a file that is not there yet.
    for (int links = 0; links < 40 && std::filesystem::is_symlink(target, ignored); ++links)
        target = target.parent_path() / std::filesystem::read_symlink(target, ignored);
    struct stat old {};
    const bool existed = ::stat(target.c_str(), &old) == 0;
    if (existed && !S_ISREG(old.st_mode))
        return fail(ErrorCode::Io, "cannot write " + path + ": it is not a regular file");
    if (target.filename().empty())
        return fail(ErrorCode::Io, "cannot write \"" + path + "\": it names no file");
    const mode_t mask = ::umask(0);
    ::umask(mask);
    file.m_mode = existed ? old.st_mode & 07777 : 0666 & ~mask;
    file.m_target = target.string();
    file.m_folder = target.has_parent_path() ? target.parent_path().string() : ".";
    removeAbandoned(file.m_folder);
    if (scratch == Scratch::Unnamed)
        file.m_fd = openUnnamed(file.m_folder);
    if (file.m_fd < 0)
        file.m_fd = openNamed(file.m_folder, file.m_hidden);
    if (file.m_fd < 0) {
        file.m_hidden.clear();
        return ioError("write", path, errno);
    }
    return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : m_path(std::move(other.m_path)), m_target(std::move(other.m_target)),
      m_folder(std::move(other.m_folder)), m_hidden(std::exchange(other.m_hidden, {})), m_mode(other.m_mode),
      m_fd(std::exchange(other.m_fd, -1)) {}

AtomicFile::~AtomicFile() {
    discard();
}

void AtomicFile::discard() noexcept {
    if (!m_hidden.empty())
        ::unlink(m_hidden.c_str());
    m_hidden.clear();
    if (m_fd >= 0)
        ::close(std::exchange(m_fd, -1));
}

Result<> AtomicFile::giveUp(int error) {
    discard();
    return ioError("write", m_path, error);
}

Result<> AtomicFile::append(std::string_view bytes) {
    if (!writeAll(m_fd, bytes))
        return giveUp(errno);
    return {};
}

/// Gives the nameless file the target's name when that is free, else a hidden one; false with errno.
bool AtomicFile::takeName() {
    const std::string self = pathOf(m_fd);
    const auto link = [&](const std::string& name) {
        return ::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
    };
    if (link(m_target))
        return true;
    for (int n = 0; errno == EEXIST; ++n)
        if (std::string name = hiddenName(m_folder, n); link(name)) {
            m_hidden = std::move(name);
            return true;
        }
    return false;
}

Result<> AtomicFile::commit() {
    if (::fchmod(m_fd, m_mode) != 0 || ::fsync(m_fd) != 0)
        return giveUp(errno);
    if (m_hidden.empty() && !takeName())
        return giveUp(errno);
    if (!m_hidden.empty() && ::rename(m_hidden.c_str(), m_target.c_str()) != 0)
        return giveUp(errno);
    m_hidden.clear();
    ::close(std::exchange(m_fd, -1)); // its lock goes last
    const Descriptor directory(::open(m_folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.valid())
        ::fsync(directory.get());
    return {};
}

namespace {

Result<> writeWhole(const std::string& path, std::string_view bytes) {
    Result<AtomicFile> file = AtomicFile::create(path);
    FOVEA_TRY(file);
    FOVEA_TRY(file->append(bytes));
    return file->commit();
}

Result<std::string> readWhole(const std::string& path, std::uint64_t cap) {
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.valid())
        return ioError("read", path, errno);
    struct stat info {};
    if (::fstat(file.get(), &info) != 0)
        return ioError("read", path, errno);
    if (!S_ISREG(info.st_mode))
        return fail(ErrorCode::Io, "cannot read " + path + ": it is not a regular file");
    if (static_cast<std::uint64_t>(info.st_size) > cap)
        return fail(ErrorCode::TooLarge, path + " has " + std::to_string(info.st_size) + " bytes; at most " +
                                             std::to_string(cap) + " are read.");
    std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
    std::size_t have = 0;
    while (have < bytes.size()) {
        const ssize_t n = ::read(file.get(), bytes.data() + have, bytes.size() - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ioError("read", path, errno);
        if (n == 0)
            return fail(ErrorCode::Io, path + " changed while it was being read.");
        have += static_cast<std::size_t>(n);
    }
    return bytes;
}

} // namespace

Result<> writeFileAtomically(const std::string& path, std::string_view bytes) {
    return orOutOfMemory("there is not enough memory to write the file.",
                         [&] { return writeWhole(path, bytes); });
}

Result<> writeFileAtomically(const std::string& path, const std::function<std::string()>& bytes) {
    return orOutOfMemory("there is not enough memory to write the file.",
                         [&] { return writeWhole(path, bytes()); });
}

Result<std::string> readWholeFile(const std::string& path, std::uint64_t cap) {
    return orOutOfMemory("there is not enough memory to read the file.",
                         [&] { return readWhole(path, cap); });
}

} // namespace fovea
