#include "core/text/SpecialTokens.h"
#include "core/text/Unicode.h"
#include "core/text/Utf8.h"
#include <algorithm>

namespace fovea {

namespace {

std::size_t spaceAfter(std::string_view text, std::size_t at) {
    while (at < text.size()) {
        const CodePoint c = decodeUtf8(text, at);
        if (!c.valid || !isWhiteSpace(c.value))
            break;
        at += c.length;
    }
    return at;
}

std::size_t spaceBefore(std::string_view text, std::size_t from, std::size_t at) {
    while (at > from) {
        std::size_t begin = at - 1;
        while (begin > from && at - begin < 3 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80)
            --begin;
        const CodePoint c = decodeUtf8(text, begin);
        if (!c.valid || begin + c.length != at || !isWhiteSpace(c.value))
            break;
        at = begin;
    }
    return at;
}

} // namespace

void SpecialTokens::add(std::string name, std::int32_t id, std::uint8_t strips) {
    if (name.empty())
        return;
    auto& names = m_byFirstByte[static_cast<unsigned char>(name.front())];
    const auto place = std::find_if(names.begin(), names.end(),
                                    [&](const Name& other) { return other.text.size() < name.size(); });
    names.insert(place, {std::move(name), id, strips});
    ++m_count;
}

std::optional<SpecialTokens::Found> SpecialTokens::find(std::string_view text, std::size_t from) const {
    if (empty())
        return std::nullopt;
    for (std::size_t at = from; at < text.size(); ++at)
        for (const Name& name : m_byFirstByte[static_cast<unsigned char>(text[at])])
            if (text.compare(at, name.text.size(), name.text) == 0)
                return Found{name.strips & 1 ? spaceBefore(text, from, at) : at,
                             name.strips & 2 ? spaceAfter(text, at + name.text.size())
                                             : at + name.text.size(),
                             name.id};
    return std::nullopt;
}

} // namespace fovea
