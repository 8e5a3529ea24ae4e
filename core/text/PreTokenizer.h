#pragma once
#include "core/base/Result.h"
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace fovea {

/// Cuts a text into pieces; tokens are merged only inside a piece. The patterns are constants of the program;
/// a pattern from a model file is never run. Immutable; safe to share between threads.
class PreTokenizer {
public:
    /// A name of PreTokenizerTable.h. Errors: Unsupported; the message lists the known names.
    [[nodiscard]] static Result<PreTokenizer> named(std::string_view name);

    PreTokenizer(PreTokenizer&&) noexcept;
    PreTokenizer& operator=(PreTokenizer&&) noexcept;
    ~PreTokenizer();

    /// The end offsets of the pieces of `text`, ascending; the last one is text.size(). Empty for an empty
    /// text. `text` must be valid UTF-8. Errors: TooLarge with the byte offset when the pattern engine
    /// reaches its limit.
    [[nodiscard]] Result<std::vector<std::size_t>> pieceEnds(std::string_view text) const;

private:
    struct Patterns;
    explicit PreTokenizer(std::unique_ptr<const Patterns> patterns);
    std::unique_ptr<const Patterns> m_patterns;
};

} // namespace fovea
