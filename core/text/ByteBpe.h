#pragma once
#include "core/text/BytePairs.h"
#include "core/text/PreTokenizer.h"
#include "core/text/SubwordModel.h"
#include <cstdint>
#include <string>
#include <unordered_map>

namespace fovea {

/// Byte-level BPE: cuts the text with the pre-tokenizer and merges bytes inside each piece.
class ByteBpe final : public SubwordModel {
public:
    /// `whole`: tokens by their bytes, for pieces that are taken without merging; empty: every piece is
    /// merged.
    ByteBpe(PreTokenizer preTokenizer, BytePairs pairs, std::unordered_map<std::string, std::int32_t> whole)
        : m_preTokenizer(std::move(preTokenizer)), m_pairs(std::move(pairs)), m_whole(std::move(whole)) {}

    [[nodiscard]] Result<> encode(const TextPart& part, PartSink& sink) const override;

private:
    PreTokenizer m_preTokenizer;
    BytePairs m_pairs;
    std::unordered_map<std::string, std::int32_t> m_whole;
};

} // namespace fovea
