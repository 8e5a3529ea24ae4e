#include "core/files/Reader.h"
#include "core/files/Checked.h"
#include <algorithm>

namespace fovea {

namespace {
constexpr std::uint64_t kWindow = 1U << 18;
}

tl::unexpected<Error> Reader::endsHere() const {
    return fail(ErrorCode::Damaged,
                "the file ends at byte " + std::to_string(m_end) + ", inside " + m_section);
}

Result<> Reader::copy(std::span<std::byte> into) {
    if (into.size() > remaining())
        return endsHere();
    if (into.size() > kWindow) {
        FOVEA_TRY(m_source.readAt(m_offset, into));
        m_offset += into.size();
        return {};
    }
    if (m_offset < m_windowAt || m_offset + into.size() > m_windowAt + m_window.size()) {
        m_window.resize(static_cast<std::size_t>(std::min(kWindow, remaining())));
        m_windowAt = m_offset;
        FOVEA_TRY(m_source.readAt(m_offset, m_window));
    }
    if (!into.empty())
        std::memcpy(into.data(), m_window.data() + (m_offset - m_windowAt), into.size());
    m_offset += into.size();
    return {};
}

Result<std::string> Reader::take(std::uint64_t n) {
    if (n > remaining())
        return endsHere();
    std::string bytes(static_cast<std::size_t>(n), '\0');
    FOVEA_TRY(copy(std::as_writable_bytes(std::span(bytes.data(), bytes.size()))));
    return bytes;
}

Result<> Reader::skip(std::uint64_t n) {
    if (n > remaining())
        return endsHere();
    m_offset += n;
    return {};
}

Result<std::uint64_t> Reader::count(std::string_view what, std::uint64_t itemSize) {
    const std::uint64_t at = m_offset;
    const auto n = number<std::uint64_t>();
    FOVEA_TRY(n);
    const auto least = checkedMul(*n, itemSize);
    if (!least || *least > remaining())
        return fail(ErrorCode::Damaged, m_section + " claims " + std::to_string(*n) + " " +
                                            std::string(what) + " at byte " + std::to_string(at) + "; " +
                                            std::to_string(remaining()) + " bytes remain");
    return *n;
}

} // namespace fovea
