#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

/// Bytes [begin, end) of the original text.
struct Span {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    bool operator==(const Span&) const = default;
};

/// A tokenised text. The spans cover the text in order, without gaps or overlaps. Tokens that were added
/// (BOS) have an empty span.
struct Tokens {
    std::vector<std::int32_t> ids;   ///< [T]
    std::vector<Span> spans;         ///< [T]
    std::vector<std::string> pieces; ///< [T] the bytes of each token; joined, they give the decoded text
    std::uint64_t unknownBytes = 0;  ///< bytes of the text that the vocabulary has no token for
    std::optional<std::uint64_t> firstUnknownByte;
    std::uint64_t invalidBytes = 0; ///< bytes that are not UTF-8, each read as U+FFFD
    std::optional<std::uint64_t> firstInvalidByte;

    [[nodiscard]] std::size_t size() const { return ids.size(); }
    bool operator==(const Tokens&) const = default;
};

} // namespace fovea
