#pragma once
#include "core/text/SpacedPieces.h"
#include "core/text/SubwordModel.h"
#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace fovea {

/// The BPE of SentencePiece: the pair of neighbours whose joined text is the token of highest score is merged
/// first, ties leftmost. A character that is no token becomes its bytes, or the unknown token.
class SentencePiece final : public SubwordModel {
public:
    struct Parts {
        std::unordered_map<std::string, std::int32_t> ids; ///< what merging can give
        std::vector<float> scores;                         ///< [V], finite
        std::array<std::int32_t, 256> idOfByte{};          ///< -1: none
        std::int32_t unknown = -1;
        std::size_t longest = 0; ///< bytes of the longest text in `ids`
        SpacedPieces pieces;
    };
    explicit SentencePiece(Parts parts) : m_parts(std::move(parts)) {}

    [[nodiscard]] Result<> encode(const TextPart& part, PartSink& sink) const override;

private:
    struct Symbol {
        std::uint32_t begin, end; ///< in the piece; empty once it is merged into the one before
        std::int32_t previous, next;
        std::size_t source;
        std::int32_t id;
    };
    struct Pair {
        float score;
        std::int32_t left;
        std::uint32_t size; ///< bytes of both; another size means that one of them has changed
        std::int32_t id;
    };
    [[nodiscard]] Result<> merge(const SpacedPiece& piece, std::vector<Symbol>& symbols,
                                 std::vector<Pair>& heap, const WorkContext& work) const;
    Parts m_parts;
};

} // namespace fovea
