#include "core/files/Quote.h"
#include <array>
#include <cstdio>

namespace fovea {

std::string quoteForMessage(std::string_view bytes) {
    constexpr std::size_t kCut = 80;
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string text;
    for (const char c : bytes) {
        const auto b = static_cast<unsigned char>(c);
        std::string one;
        if (c == '\\')
            one = "\\\\";
        else if (b >= 0x20 && b < 0x7F)
            one = c;
        else
            one = std::string("\\x") + kHex[b >> 4] + kHex[b & 15];
        if (text.size() + one.size() > kCut)
            return text.substr(0, kCut - 3) + "...";
        text += one;
    }
    return text;
}

std::string inQuotes(std::string_view bytes) {
    std::string text(1, '"');
    text += quoteForMessage(bytes);
    text += '"';
    return text;
}

std::string numberText(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.9g", value);
    return text.data();
}

} // namespace fovea
