#pragma once
#include "core/files/ByteSource.h"
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace fovea {

/// Reads little-endian values from a source, one after the other. Every size is compared with the remaining
/// bytes before anything is allocated. All results are copies. Reading past the end is Damaged: "the file
/// ends at byte 120, inside the tensor list".
class Reader {
public:
    /// The whole of `source`, which must outlive the reader.
    explicit Reader(const ByteSource& source) : m_source(source), m_end(source.size()) {}

    [[nodiscard]] std::uint64_t offset() const { return m_offset; }
    [[nodiscard]] std::uint64_t remaining() const { return m_end - m_offset; }
    /// Names the part that is being read, for messages: "the key list".
    void enter(std::string section) { m_section = std::move(section); }
    [[nodiscard]] const std::string& section() const { return m_section; }

    template <class T>
    requires(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) [[nodiscard]] Result<T> number() {
        static_assert(std::endian::native == std::endian::little);
        T value{};
        FOVEA_TRY(copy(std::as_writable_bytes(std::span<T, 1>(&value, 1))));
        return value;
    }
    /// Copies `n` bytes. The caller must have limited n; if n exceeds remaining(), this fails with Damaged
    /// before it allocates.
    [[nodiscard]] Result<std::string> take(std::uint64_t n);
    [[nodiscard]] Result<> skip(std::uint64_t n);
    /// Reads a u64 that counts items called `what` of at least `itemSize` bytes each. Fails with Damaged when
    /// so many cannot fit: "the header claims 9 tensors; 12 bytes remain".
    [[nodiscard]] Result<std::uint64_t> count(std::string_view what, std::uint64_t itemSize);

private:
    [[nodiscard]] Result<> copy(std::span<std::byte> into);
    [[nodiscard]] tl::unexpected<Error> endsHere() const;

    const ByteSource& m_source;
    std::uint64_t m_end;
    std::uint64_t m_offset = 0;
    std::string m_section = "the header";
    std::vector<std::byte> m_window; ///< bytes [m_windowAt, m_windowAt + size) of the source
    std::uint64_t m_windowAt = 0;
};

} // namespace fovea
