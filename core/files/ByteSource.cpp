#include "core/files/ByteSource.h"
#include "core/base/Check.h"
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace fovea {

namespace {

constexpr std::size_t kPiece = std::size_t{4} << 20;

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

Result<std::string> sha256Hex(const ByteSource& source, const WorkContext& work) {
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1)
        return fail(ErrorCode::OutOfMemory, "no memory for the file's SHA-256");
    std::vector<std::byte> piece(kPiece);
    for (std::uint64_t at = 0; at < source.size();) {
        FOVEA_TRY(work.checkpoint());
        work.report("hashing the model file", static_cast<double>(at), static_cast<double>(source.size()));
        const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, source.size() - at));
        FOVEA_TRY(source.readAt(at, {piece.data(), n}));
        EVP_DigestUpdate(context.get(), piece.data(), n);
        at += n;
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    EVP_DigestFinal_ex(context.get(), digest.data(), &length);
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string text;
    for (unsigned int i = 0; i < length; ++i) {
        text += kHex[digest[i] >> 4];
        text += kHex[digest[i] & 15];
    }
    return text;
}

} // namespace fovea
