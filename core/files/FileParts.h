#pragma once
#include "core/files/ByteSource.h"
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace fovea {

/// Regular files read as one run of bytes, one after the other: the files of a model. Thread-safe.
class FileParts : public ByteSource {
public:
    /// Opens every file once. Errors: Io (names the path); TooLarge (above 2^64 bytes in all).
    [[nodiscard]] static Result<std::unique_ptr<FileParts>> open(const std::vector<std::string>& paths);
    /// The same of files that are open.
    [[nodiscard]] static Result<std::unique_ptr<FileParts>>
    join(std::vector<std::unique_ptr<RegularFile>> files);

    [[nodiscard]] std::uint64_t size() const override { return m_starts.back(); }
    [[nodiscard]] Result<> readAt(std::uint64_t offset, std::span<std::byte> into) const override;
    [[nodiscard]] std::size_t count() const { return m_files.size(); }
    [[nodiscard]] const RegularFile& part(std::size_t i) const { return *m_files[i]; }
    /// Where part `i` begins; i == count() gives size().
    [[nodiscard]] std::uint64_t start(std::size_t i) const { return m_starts[i]; }
    /// RegularFile::requireUnchanged of every part.
    [[nodiscard]] Result<> requireUnchanged() const;

private:
    FileParts() = default;
    std::vector<std::unique_ptr<RegularFile>> m_files;
    std::vector<std::uint64_t> m_starts; ///< [count + 1]
};

/// The file name of a path, shortened for a message.
[[nodiscard]] std::string fileNameOf(const std::string& path);
/// The same error with the name of the file in front, unless the message has it. Cancelled stays as it is.
[[nodiscard]] tl::unexpected<Error> aboutFile(const std::string& path, Error error);

} // namespace fovea
