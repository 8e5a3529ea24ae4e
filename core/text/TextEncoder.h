#pragma once
#include "core/text/SpecialTokens.h"
#include "core/text/SubwordModel.h"
#include "core/text/Tokenizer.h"
#include <memory>
#include <string>
#include <vector>

namespace fovea {

/// The tokenizer around a SubwordModel: finds special and user tokens in the raw text, hands the text between
/// them to the model, adds bos and eos, and keeps the spans. Created by makeTokenizer.
class TextEncoder final : public Tokenizer {
public:
    /// What makeTokenizer has checked and built. Of the vocabulary only kinds, strips, bos, eos and flags are
    /// used.
    struct Parts {
        Vocabulary vocabulary;
        std::unique_ptr<const SubwordModel> model;
        std::vector<std::string> names;  ///< [V] what special and user tokens are called; others may be empty
        std::vector<std::string> pieces; ///< [V] bytes of each token
        std::vector<std::string> warnings;
    };
    explicit TextEncoder(Parts parts);

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
    [[nodiscard]] Result<> encodeInto(std::string_view text, const EncodeOptions& options,
                                      Encoding& encoding) const;

    Parts m_parts;
    SpecialTokens m_user;          ///< always matched
    SpecialTokens m_special;       ///< user, control and unknown tokens: matched on request
    std::size_t m_longestName = 0; ///< bytes of the longest of these names
};

} // namespace fovea
