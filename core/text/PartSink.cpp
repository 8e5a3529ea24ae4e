#include "core/text/PartSink.h"
#include <algorithm>

namespace fovea {

namespace {
constexpr std::size_t kPollBytes = std::size_t{64} << 10;
}

void Encoding::cut() {
    if (tokens.size() <= most)
        return;
    tokens.ids.resize(most);
    tokens.spans.resize(most);
    tokens.pieces.resize(most);
    const std::size_t end = tokens.spans.back().end;
    const auto count = [end](const std::vector<std::size_t>& at, std::uint64_t& bytes,
                             std::optional<std::uint64_t>& first) {
        bytes = static_cast<std::uint64_t>(std::lower_bound(at.begin(), at.end(), end) - at.begin());
        first = bytes > 0 ? std::optional<std::uint64_t>(at.front()) : std::nullopt;
    };
    count(unknownAt, tokens.unknownBytes, tokens.firstUnknownByte);
    count(invalidAt, tokens.invalidBytes, tokens.firstInvalidByte);
}

PartSink::PartSink(std::string_view part, std::size_t offset, bool composed, Encoding& encoding)
    : m_offset(offset), m_encoding(encoding), m_repaired(part) {
    Tokens& tokens = encoding.tokens;
    if (!m_repaired.badBytes().empty()) {
        tokens.invalidBytes += m_repaired.badBytes().size();
        if (!tokens.firstInvalidByte)
            tokens.firstInvalidByte = offset + m_repaired.badBytes().front();
        if (encoding.most != Encoding::kWhole)
            for (const std::size_t at : m_repaired.badBytes())
                encoding.invalidAt.push_back(offset + at);
    }
    if (composed)
        m_composed.emplace(m_repaired.text());
}

Result<> PartSink::poll(std::size_t end) {
    if (end - m_polled < kPollBytes)
        return {};
    m_polled = end;
    FOVEA_TRY(work().checkpoint());
    work().report("reading tokens", static_cast<double>(m_offset + source(end)),
                  static_cast<double>(m_encoding.textBytes));
    return {};
}

void PartSink::countUnknown(std::size_t at) {
    // Several bytes of a U+FFFD may lack a token, but it replaces only one bad byte, which is counted once.
    const std::size_t clean = m_composed ? m_composed->original(at) : at;
    std::size_t from = m_repaired.original(clean);
    if (m_repaired.original(clean + 1) == from) // its second or third byte: use the byte that it replaces
        --from;
    if (from == m_lastUnknown)
        return;
    m_lastUnknown = from;
    Tokens& tokens = m_encoding.tokens;
    ++tokens.unknownBytes;
    if (!tokens.firstUnknownByte)
        tokens.firstUnknownByte = m_offset + from;
    if (m_encoding.most != Encoding::kWhole)
        m_encoding.unknownAt.push_back(m_offset + from);
}

} // namespace fovea
