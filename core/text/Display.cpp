#include "core/text/Display.h"
#include "core/text/Utf8.h"
#include <array>

namespace fovea {

namespace {

constexpr std::string_view kHex = "0123456789ABCDEF";

struct Range {
    char32_t first, last;
};
/// Characters that are invisible, change the reading direction, or have no assigned meaning.
constexpr std::array<Range, 16> kHidden{{{0x00, 0x1F},
                                         {0x7F, 0x9F},
                                         {0xAD, 0xAD},
                                         {0x61C, 0x61C},
                                         {0x180E, 0x180E},
                                         {0x200B, 0x200F},
                                         {0x2028, 0x202E},
                                         {0x2060, 0x206F},
                                         {0xE000, 0xF8FF},
                                         {0xFEFF, 0xFEFF},
                                         {0xFFF9, 0xFFFB},
                                         {0x1D173, 0x1D17A},
                                         {0xE0000, 0xE007F},
                                         {0xF0000, 0xFFFFF},
                                         {0x100000, 0x10FFFF},
                                         {0x115F, 0x1160}}};

bool hidden(char32_t value) {
    for (const Range& range : kHidden)
        if (value >= range.first && value <= range.last)
            return true;
    return false;
}

std::string hexByte(char byte) {
    const auto b = static_cast<unsigned char>(byte);
    return {kHex[b >> 4], kHex[b & 15]};
}

std::string codePointEscape(char32_t value) {
    std::string digits;
    for (auto v = static_cast<std::uint32_t>(value); v > 0 || digits.empty(); v >>= 4)
        digits.insert(digits.begin(), kHex[v & 15]);
    return std::string("\\u{").append(digits).append("}");
}

std::size_t characters(std::string_view utf8) {
    std::size_t count = 0;
    for (const char c : utf8)
        count += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
    return count;
}

} // namespace

std::string displayText(std::string_view bytes, std::size_t maxCharacters) {
    std::string out;
    std::size_t count = 0, cutAt = 0; // cutAt: the position of the ellipsis, if one is needed
    bool leading = true;
    for (std::size_t at = 0; at < bytes.size();) {
        const CodePoint c = decodeUtf8(bytes, at);
        std::string shown;
        if (!c.valid)
            shown.append("<").append(hexByte(bytes[at])).append(">");
        else if (c.value == ' ' && leading)
            shown = "\u00B7";
        else if (c.value == '\n')
            shown = "\u21B5";
        else if (c.value == '\t')
            shown = "\u21E5";
        else if (hidden(c.value))
            shown = codePointEscape(c.value);
        else
            shown = bytes.substr(at, c.length);
        leading = leading && c.valid && c.value == ' ';
        count += characters(shown);
        if (count > maxCharacters) {
            out.resize(cutAt);
            return maxCharacters == 0 ? out : out + "\u2026";
        }
        out += shown;
        if (count + 1 <= maxCharacters)
            cutAt = out.size();
        at += c.length;
    }
    return out;
}

std::string escapedText(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    for (std::size_t at = 0; at < bytes.size();) {
        const CodePoint c = decodeUtf8(bytes, at);
        if (!c.valid)
            out.append("\\x").append(hexByte(bytes[at]));
        else if (c.value == '\\')
            out += "\\\\";
        else if (c.value == '\n')
            out += "\\n";
        else if (c.value == '\t')
            out += "\\t";
        else if (hidden(c.value))
            out += codePointEscape(c.value);
        else
            out += bytes.substr(at, c.length);
        at += c.length;
    }
    return out;
}

} // namespace fovea
