#pragma once
#include "core/text/BytePairs.h"
#include "core/text/SpacedPieces.h"
#include "core/text/SubwordModel.h"
#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace fovea {

/// BPE over characters by the ranks of merges, as tokenizer.json describes SentencePiece vocabularies. A
/// character that is no token becomes its bytes `<0xXX>`, or the unknown token.
class CharacterBpe final : public SubwordModel {
public:
    struct Parts {
        std::unordered_map<std::string, std::int32_t>
            ids;                                  ///< single characters; with `ignoreMerges` all tokens
        BytePairs pairs;                          ///< rules over token ids
        std::array<std::int32_t, 256> idOfByte{}; ///< -1: none
        std::int32_t unknown = -1;
        bool fuseUnknown = false;
        bool ignoreMerges = false;
        SpacedPieces pieces;
    };
    explicit CharacterBpe(Parts parts) : m_parts(std::move(parts)) {}

    [[nodiscard]] Result<> encode(const TextPart& part, PartSink& sink) const override;

private:
    Parts m_parts;
};

} // namespace fovea
