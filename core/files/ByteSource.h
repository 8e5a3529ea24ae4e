#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace fovea {

/// Bytes of known length that can be read at any offset. All readers of untrusted files take one.
class ByteSource {
public:
    virtual ~ByteSource() = default;
    [[nodiscard]] virtual std::uint64_t size() const = 0;
    /// Fills `into` from `offset`; the range must lie inside size(). Errors: Io.
    [[nodiscard]] virtual Result<> readAt(std::uint64_t offset, std::span<std::byte> into) const = 0;
};

/// A regular file, opened once and read with pread into the caller's memory. It is never mapped, because
/// truncating a mapped file ends the process with SIGBUS. Thread-safe.
class RegularFile : public ByteSource {
public:
    /// Errors: Io (missing, unreadable, a folder, a pipe or a device); names the path.
    [[nodiscard]] static Result<std::unique_ptr<RegularFile>> open(const std::string& path);
    ~RegularFile() override;
    RegularFile(const RegularFile&) = delete;
    RegularFile& operator=(const RegularFile&) = delete;

    [[nodiscard]] std::uint64_t size() const override { return m_state.bytes; }
    [[nodiscard]] Result<> readAt(std::uint64_t offset, std::span<std::byte> into) const override;
    /// Fails with Io, "The file changed while it was being read.", when size, inode or modification time are
    /// not those seen by open().
    [[nodiscard]] Result<> requireUnchanged() const;

private:
    struct State {
        std::uint64_t bytes = 0;
        std::uint64_t inode = 0;
        std::int64_t modifiedSeconds = 0;
        std::int64_t modifiedNanoseconds = 0;
        bool operator==(const State&) const = default;
    };
    RegularFile(int descriptor, std::string path) : m_descriptor(descriptor), m_path(std::move(path)) {}
    [[nodiscard]] Result<State> currentState() const;

    int m_descriptor;
    std::string m_path;
    State m_state;
};

/// Bytes in memory that somebody else owns. For tests and fuzzing.
class MemoryBytes : public ByteSource {
public:
    explicit MemoryBytes(std::string_view bytes) : m_bytes(bytes) {}
    [[nodiscard]] std::uint64_t size() const override { return m_bytes.size(); }
    [[nodiscard]] Result<> readAt(std::uint64_t offset, std::span<std::byte> into) const override;

private:
    std::string_view m_bytes;
};

} // namespace fovea
