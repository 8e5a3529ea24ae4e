#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace fovea {

/// One merge of a byte-pair vocabulary: the adjacent tokens `left` and `right` become `result`.
struct MergeRule {
    std::int32_t left = 0, right = 0, result = 0;
    bool operator==(const MergeRule&) const = default;
};

/// A token found in a piece: its id and the bytes [begin, end) of the piece that it came from.
struct MergedToken {
    std::int32_t id = 0;
    std::uint32_t begin = 0, end = 0;
};

/// Byte-pair merging. Immutable; safe to share between threads.
class BytePairs {
public:
    BytePairs() = default;
    /// `idOfByte`: the token of each byte, -1 where the vocabulary has none. `rules`: best first; when a pair
    /// occurs twice, its first rule counts.
    BytePairs(const std::array<std::int32_t, 256>& idOfByte, std::vector<MergeRule> rules);

    [[nodiscard]] std::int32_t idOfByte(unsigned char byte) const { return m_idOfByte[byte]; }

    /// Working memory of merge. Keep one per caller and reuse it.
    struct Scratch {
        struct Symbol {
            std::int32_t id;
            std::uint32_t begin, end;
            std::int32_t previous, next;
        };
        std::vector<Symbol> symbols;
        std::vector<std::uint64_t> heap;
    };
    /// Appends the tokens of `piece` (under 2^31 bytes) to `out`. Bytes without a token are dropped before
    /// merging, so their neighbours may merge, as in the reference tokenizers. Cost: n log n. Errors:
    /// Cancelled, polled every 64 Ki merges.
    [[nodiscard]] Result<> merge(std::string_view piece, Scratch& scratch, std::vector<MergedToken>& out,
                                 const WorkContext& work) const;
    /// The same, for a piece whose first symbols `startSymbols` and `addSymbol` put into `scratch`.
    [[nodiscard]] Result<> mergeSymbols(Scratch& scratch, std::vector<MergedToken>& out,
                                        const WorkContext& work) const;
    static void startSymbols(Scratch& scratch) { scratch.symbols.clear(); }
    static void addSymbol(Scratch& scratch, std::int32_t id, std::uint32_t begin, std::uint32_t end) {
        const auto self = static_cast<std::int32_t>(scratch.symbols.size());
        scratch.symbols.push_back({id, begin, end, self - 1, self + 1});
    }

private:
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;
    [[nodiscard]] std::uint32_t rank(std::int32_t left, std::int32_t right) const;
    [[nodiscard]] std::size_t slotOf(std::int32_t left, std::int32_t right) const;

    std::array<std::int32_t, 256> m_idOfByte{};
    std::vector<MergeRule> m_rules;
    std::vector<std::uint32_t> m_slots; ///< open addressing over m_rules, a power of two, at most half full
};

} // namespace fovea
