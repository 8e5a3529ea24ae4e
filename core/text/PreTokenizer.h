#pragma once
#include "core/base/Result.h"
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace fovea {

/// Cuts a text into the pieces inside which tokens are merged. The patterns are constants of the program; a
/// pattern that comes with a file is never run. Immutable; safe to share between threads.
class PreTokenizer {
public:
    /// "gpt-2" (also "gpt2"), or "smollm": first every single \p{N} stands alone, then gpt-2 on what is
    /// between. Unsupported names the ones that are known.
    [[nodiscard]] static Result<PreTokenizer> named(std::string_view name);

    PreTokenizer(PreTokenizer&&) noexcept;
    PreTokenizer& operator=(PreTokenizer&&) noexcept;
    ~PreTokenizer();

    /// Ends of the pieces of `text`, ascending, the last one text.size(); none for an empty text. `text` must
    /// be UTF-8. TooLarge with the byte offset when the pattern engine hits its limit.
    [[nodiscard]] Result<std::vector<std::size_t>> pieceEnds(std::string_view text) const;

private:
    struct Patterns;
    explicit PreTokenizer(std::unique_ptr<const Patterns> patterns);
    std::unique_ptr<const Patterns> m_patterns;
};

} // namespace fovea
