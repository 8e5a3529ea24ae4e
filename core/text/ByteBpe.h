#pragma once
#include "core/text/BytePairs.h"
#include "core/text/PreTokenizer.h"
#include "core/text/SpecialTokens.h"
#include "core/text/Tokenizer.h"

namespace fovea {

/// Byte-level BPE. Finds special and user tokens first, then cuts the rest with the pre-tokenizer and merges
/// inside each piece. Created by makeTokenizer.
class ByteBpe final : public Tokenizer {
public:
    /// The tables that makeTokenizer has checked and built.
    struct Parts {
        Vocabulary vocabulary;
        PreTokenizer preTokenizer;
        BytePairs pairs;
        std::vector<std::string> pieces; ///< [V] bytes of each token
        std::vector<std::string> warnings;
    };
    explicit ByteBpe(Parts parts);

    [[nodiscard]] Result<Tokens> encode(std::string_view text, const EncodeOptions& options,
                                        const WorkContext& work) const override;
    [[nodiscard]] Result<Tokens> encodeFirst(std::string_view text, std::size_t most,
                                             const EncodeOptions& options,
                                             const WorkContext& work) const override;
    [[nodiscard]] std::int32_t vocabularySize() const override;
    [[nodiscard]] std::string piece(std::int32_t id) const override;
    [[nodiscard]] TokenKind kind(std::int32_t id) const override;
    [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids) const override;
    [[nodiscard]] const std::vector<std::string>& warnings() const override { return m_parts.warnings; }

private:
    struct Encoding;
    [[nodiscard]] Result<> encodeInto(std::string_view text, const EncodeOptions& options,
                                      Encoding& encoding) const;
    [[nodiscard]] Result<> encodePlain(std::string_view text, std::size_t offset, Encoding& encoding) const;

    Parts m_parts;
    SpecialTokens m_user;          ///< always matched
    SpecialTokens m_special;       ///< user, control and unknown tokens: matched on request
    std::size_t m_longestName = 0; ///< bytes of the longest of these names
};

} // namespace fovea
