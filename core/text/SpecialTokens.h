#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// Token names that are searched for in the raw text, before the pre-tokenizer runs. Immutable; safe to share
/// between threads.
class SpecialTokens {
public:
    struct Found {
        std::size_t begin = 0, end = 0;
        std::int32_t id = 0;
    };
    /// White space beside a name may belong to it: bit 0 of `strips`, that before it; bit 1, that after it.
    /// An empty name is ignored.
    void add(std::string name, std::int32_t id, std::uint8_t strips = 0);
    [[nodiscard]] bool empty() const { return m_count == 0; }
    /// The first name at or after `from`: leftmost, then longest, then lowest id. With the white space that
    /// belongs to it.
    [[nodiscard]] std::optional<Found> find(std::string_view text, std::size_t from) const;

private:
    struct Name {
        std::string text;
        std::int32_t id = 0;
        std::uint8_t strips = 0;
    };
    std::array<std::vector<Name>, 256> m_byFirstByte; ///< longest first
    std::size_t m_count = 0;
};

} // namespace fovea
