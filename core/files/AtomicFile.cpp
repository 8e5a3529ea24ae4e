#include "core/files/AtomicFile.h"
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <openssl/sha.h>
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
    bool close() {
        const int fd = m_fd;
        m_fd = -1;
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

} // namespace

Result<AtomicFile> AtomicFile::create(const std::string& path) {
    AtomicFile file;
    file.m_path = path;
    std::error_code ignored;
    std::filesystem::path target(path);
    if (std::filesystem::is_symlink(target, ignored))
        target = std::filesystem::weakly_canonical(target, ignored);
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
    const std::filesystem::path folder = target.has_parent_path() ? target.parent_path() : ".";
    file.m_temporary = (folder / ("." + target.filename().string() + ".XXXXXX")).string();
    file.m_fd = ::mkostemp(file.m_temporary.data(), O_CLOEXEC);
    if (file.m_fd < 0) {
        file.m_temporary.clear();
        return ioError("write", path, errno);
    }
    return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : m_path(std::move(other.m_path)), m_target(std::move(other.m_target)),
      m_temporary(std::exchange(other.m_temporary, {})), m_mode(other.m_mode),
      m_fd(std::exchange(other.m_fd, -1)) {}

AtomicFile::~AtomicFile() {
    (void)giveUp(0);
}

Result<> AtomicFile::giveUp(int error) {
    if (m_fd >= 0)
        ::close(std::exchange(m_fd, -1));
    if (!m_temporary.empty())
        ::unlink(std::exchange(m_temporary, {}).c_str());
    return ioError("write", m_path, error);
}

Result<> AtomicFile::append(std::string_view bytes) {
    if (!writeAll(m_fd, bytes))
        return giveUp(errno);
    return {};
}

Result<> AtomicFile::commit() {
    if (::fchmod(m_fd, m_mode) != 0 || ::fsync(m_fd) != 0)
        return giveUp(errno);
    if (::close(std::exchange(m_fd, -1)) != 0 || ::rename(m_temporary.c_str(), m_target.c_str()) != 0)
        return giveUp(errno);
    m_temporary.clear();
    const std::filesystem::path target(m_target);
    const std::filesystem::path folder = target.has_parent_path() ? target.parent_path() : ".";
    const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.valid())
        ::fsync(directory.get());
    return {};
}

Result<> writeFileAtomically(const std::string& path, std::string_view bytes) {
    Result<AtomicFile> file = AtomicFile::create(path);
    FOVEA_TRY(file);
    FOVEA_TRY(file->append(bytes));
    return file->commit();
}

Result<std::string> readWholeFile(const std::string& path, std::uint64_t cap) {
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

std::string sha256Hex(std::string_view bytes) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string text;
    for (const unsigned char b : digest) {
        text += kHex[b >> 4];
        text += kHex[b & 15];
    }
    return text;
}

} // namespace fovea
