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
    bool close()
    {
        const int fd = m_fd;
        m_fd = -1;
        return fd < 0 || ::close(fd) == 0;
    }

private:
    int m_fd;
};

tl::unexpected<Error> ioError(const std::string& verb, const std::string& path, int error)
{
    return fail(ErrorCode::Io, "cannot " + verb + " " + path + ": " + std::strerror(error));
}

bool writeAll(int fd, std::string_view bytes)
{
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

Result<> writeFileAtomically(const std::string& path, std::string_view bytes)
{
    std::error_code ignored;
    std::filesystem::path target(path);
    if (std::filesystem::is_symlink(target, ignored))
        target = std::filesystem::weakly_canonical(target, ignored);
    struct stat old {};
    const bool existed = ::stat(target.c_str(), &old) == 0;
    if (existed && !S_ISREG(old.st_mode))
        return fail(ErrorCode::Io, "cannot write " + path + ": it is not a regular file");
    const std::filesystem::path folder = target.has_parent_path() ? target.parent_path() : ".";
    std::string temporary = (folder / ("." + target.filename().string() + ".XXXXXX")).string();
    Descriptor file(::mkstemp(temporary.data()));
    if (!file.valid())
        return ioError("write", path, errno);
    const auto giveUp = [&](int error) {
        file.close();
        ::unlink(temporary.c_str());
        return ioError("write", path, error);
    };
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (!writeAll(file.get(), bytes) || ::fchmod(file.get(), existed ? old.st_mode & 07777 : 0666 & ~mask) != 0 ||
        ::fsync(file.get()) != 0)
        return giveUp(errno);
    if (!file.close() || ::rename(temporary.c_str(), target.c_str()) != 0)
        return giveUp(errno);
    Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.valid())
        ::fsync(directory.get());
    return {};
}

Result<std::string> readWholeFile(const std::string& path, std::uint64_t cap)
{
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

std::string sha256Hex(std::string_view bytes)
{
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
