#pragma once
#include "core/base/Cancel.h"
#include "core/text/Tokens.h"
#include "core/text/Unicode.h"
#include "core/text/Utf8.h"
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace fovea {

/// The state of encoding one text. A token ends where the next one begins.
struct Encoding {
    static constexpr std::size_t kWhole = std::string_view::npos;
    const WorkContext& work;
    std::size_t textBytes = 0;
    std::size_t most = kWhole;   ///< stop once there are more tokens than this
    std::size_t stable = kWhole; ///< pieces and names that end beyond this byte are left out
    bool stopped = false;
    Tokens tokens;
    std::vector<std::uint32_t> begins;             ///< [T]
    std::vector<std::size_t> unknownAt, invalidAt; ///< bytes that are counted, unless `most` is kWhole

    [[nodiscard]] bool stopsAt(std::size_t end) {
        stopped = stopped || tokens.ids.size() > most || end > stable;
        return stopped;
    }
    void add(std::int32_t id, std::size_t begin) {
        tokens.ids.push_back(id);
        begins.push_back(static_cast<std::uint32_t>(begin));
    }
    /// Leaves the first `most` tokens, if there are more, and the counts of the bytes that they cover.
    void cut();
};

/// Takes the tokens of one part of the text and maps their offsets back to the original bytes. Offsets given
/// to it are bytes of text().
class PartSink {
public:
    /// `part` begins at byte `offset` of the whole text. With `composed` it is brought into normal form C.
    /// Counts the bytes that are not UTF-8.
    PartSink(std::string_view part, std::size_t offset, bool composed, Encoding& encoding);

    [[nodiscard]] std::string_view text() const {
        return m_composed ? m_composed->text() : m_repaired.text();
    }
    [[nodiscard]] const WorkContext& work() const { return m_encoding.work; }
    /// Whether to stop before the piece that ends at `end`: there are enough tokens, or it is not certain.
    [[nodiscard]] bool stopsAt(std::size_t end) {
        return m_encoding.most != Encoding::kWhole && m_encoding.stopsAt(m_offset + source(end));
    }
    /// Polls for cancelling and reports every 64 KiB. Call with the end of each piece.
    [[nodiscard]] Result<> poll(std::size_t end);
    void add(std::int32_t id, std::size_t begin) { m_encoding.add(id, m_offset + source(begin)); }
    /// Counts byte `at` as one that the vocabulary has no token for.
    void countUnknown(std::size_t at);

private:
    [[nodiscard]] std::size_t source(std::size_t at) const {
        return m_repaired.original(m_composed ? m_composed->original(at) : at);
    }
    std::size_t m_offset;
    Encoding& m_encoding;
    RepairedText m_repaired;
    std::optional<ComposedText> m_composed;
    std::size_t m_lastUnknown = std::string_view::npos;
    std::size_t m_polled = 0;
};

} // namespace fovea
