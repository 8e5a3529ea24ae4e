#include "core/text/SpacedPieces.h"
#include "core/text/Utf8.h"

namespace fovea {

namespace {
constexpr char32_t kMark = 0x2581;

/// The code point that ends at byte `end` > 0.
char32_t characterBefore(std::string_view text, std::size_t end) {
    std::size_t begin = end - 1;
    while (begin > 0 && end - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80)
        --begin;
    return decodeUtf8(text, begin).value;
}
} // namespace

SpacedPieces::SpacedPieces(const SpaceRules& rules, std::span<const std::string> tokens) : m_rules(rules) {
    for (const std::string_view token : tokens)
        for (std::size_t at = token.find(kSpaceMark, 1); at != std::string_view::npos;
             at = token.find(kSpaceMark, at + 1))
            m_beforeSpace.insert(characterBefore(token, at));
}

void SpacedPieces::piece(std::string_view text, std::size_t from, bool first, SpacedPiece& out) const {
    out.text.clear();
    out.characters.clear();
    const auto put = [&out](std::string_view bytes, std::size_t source) {
        const auto begin = static_cast<std::uint32_t>(out.text.size());
        out.text += bytes;
        out.characters.push_back({begin, static_cast<std::uint32_t>(out.text.size()), source});
    };
    const bool prefixed = m_rules.prefix == SpaceRules::Prefix::EachPart ||
                          (m_rules.prefix == SpaceRules::Prefix::First && first);
    const bool begins = text.starts_with(' ') || text.starts_with(kSpaceMark);
    if (from == 0 && prefixed && !(m_rules.unlessSpace && begins))
        put(kSpaceMark, 0);
    char32_t before = kMark;
    std::size_t at = from;
    while (at < text.size()) {
        const CodePoint c = decodeUtf8(text, at);
        const bool space = c.value == ' ' || c.value == kMark;
        const bool inside = at > from; // not only a prefix: every piece takes something of the text
        if (space && inside && (m_rules.split || (before != kMark && !m_beforeSpace.contains(before))))
            break;
        put(space ? kSpaceMark : text.substr(at, c.length), at);
        before = space ? kMark : c.value;
        at += c.length;
    }
    out.end = at;
}

} // namespace fovea
