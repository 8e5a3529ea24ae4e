#include "core/files/ByteSource.h"
#include "core/base/Check.h"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fovea {

namespace {

tl::unexpected<Error> systemError(const std::string& path, int error) {
    return fail(ErrorCode::Io, "cannot read " + path + ": " + std::strerror(error));
}

} // namespace

Result<std::unique_ptr<RegularFile>> RegularFile::open(const std::string& path) {
    // O_NONBLOCK: opening a pipe must not wait for a writer; it is refused below.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return systemError(path, errno);
    std::unique_ptr<RegularFile> file(new RegularFile(descriptor, path));
    auto state = file->currentState();
    FOVEA_TRY(state);
    file->m_state = *state;
    return file;
}

RegularFile::~RegularFile() {
    ::close(m_descriptor);
}

Result<RegularFile::State> RegularFile::currentState() const {
    struct stat info {};
    if (::fstat(m_descriptor, &info) != 0)
        return systemError(m_path, errno);
    if (!S_ISREG(info.st_mode))
        return fail(ErrorCode::Io, "cannot read " + m_path + ": it is " +
                                       (S_ISDIR(info.st_mode) ? "a folder" : "a pipe or a device") +
                                       "; a regular file is needed");
    return State{static_cast<std::uint64_t>(info.st_size), info.st_ino, info.st_mtim.tv_sec,
                 info.st_mtim.tv_nsec};
}

Result<> RegularFile::readAt(std::uint64_t offset, std::span<std::byte> into) const {
    FOVEA_ASSERT(offset <= size() && into.size() <= size() - offset);
    while (!into.empty()) {
        const ssize_t n = ::pread(m_descriptor, into.data(), into.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return systemError(m_path, errno);
        if (n == 0)
            return fail(ErrorCode::Io, "The file changed while it was being read.");
        into = into.subspan(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
    return {};
}

Result<> RegularFile::requireUnchanged() const {
    const auto now = currentState();
    FOVEA_TRY(now);
    if (*now != m_state)
        return fail(ErrorCode::Io, "The file changed while it was being read.");
    return {};
}

Result<> MemoryBytes::readAt(std::uint64_t offset, std::span<std::byte> into) const {
    FOVEA_ASSERT(offset <= size() && into.size() <= size() - offset);
    if (!into.empty())
        std::memcpy(into.data(), m_bytes.data() + offset, into.size());
    return {};
}

} // namespace fovea
