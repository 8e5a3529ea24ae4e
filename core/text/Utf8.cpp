// The Unicode Standard 14.0, section 3.9, table 3-7 (well-formed UTF-8 byte sequences).
#include "core/text/Utf8.h"
#include <algorithm>

namespace fovea {

namespace {
std::uint32_t byteAt(std::string_view bytes, std::size_t at) {
    return static_cast<unsigned char>(bytes[at]);
}
} // namespace

CodePoint decodeUtf8(std::string_view bytes, std::size_t at) {
    const std::uint32_t lead = byteAt(bytes, at);
    if (lead < 0x80)
        return {static_cast<char32_t>(lead), 1, true};
    std::uint32_t length = 0, low = 0x80, high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF)
        length = 2;
    else if (lead >= 0xE0 && lead <= 0xEF)
        length = 3;
    else if (lead >= 0xF0 && lead <= 0xF4)
        length = 4;
    else
        return {};
    if (bytes.size() - at < length)
        return {};
    // Only the second byte has a narrower range, which excludes overlong forms, surrogates and values above
    // U+10FFFF.
    if (lead == 0xE0)
        low = 0xA0;
    else if (lead == 0xED)
        high = 0x9F;
    else if (lead == 0xF0)
        low = 0x90;
    else if (lead == 0xF4)
        high = 0x8F;
    std::uint32_t value = lead & (0x7FU >> length);
    for (std::uint32_t i = 1; i < length; ++i) {
        const std::uint32_t next = byteAt(bytes, at + i);
        if (next < low || next > high)
            return {};
        value = value << 6 | (next & 0x3FU);
        low = 0x80;
        high = 0xBF;
    }
    return {static_cast<char32_t>(value), length, true};
}

void appendUtf8(std::string& out, char32_t value) {
    const auto v = static_cast<std::uint32_t>(value);
    const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (v < 0x80) {
        put(v);
    } else if (v < 0x800) {
        put(0xC0U | v >> 6);
        put(0x80U | (v & 0x3FU));
    } else if (v < 0x10000) {
        put(0xE0U | v >> 12);
        put(0x80U | (v >> 6 & 0x3FU));
        put(0x80U | (v & 0x3FU));
    } else {
        put(0xF0U | v >> 18);
        put(0x80U | (v >> 12 & 0x3FU));
        put(0x80U | (v >> 6 & 0x3FU));
        put(0x80U | (v & 0x3FU));
    }
}

bool isUtf8(std::string_view bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
        const CodePoint c = decodeUtf8(bytes, at);
        if (!c.valid)
            return false;
        at += c.length;
    }
    return true;
}

RepairedText::RepairedText(std::string_view bytes) : m_original(bytes) {
    std::size_t copied = 0;
    for (std::size_t at = 0; at < bytes.size();) {
        const CodePoint c = decodeUtf8(bytes, at);
        if (!c.valid) {
            m_repaired.append(bytes.substr(copied, at - copied));
            appendUtf8(m_repaired, kReplacement);
            m_bad.push_back(at);
            copied = at + 1;
        }
        at += c.length;
    }
    if (!m_bad.empty())
        m_repaired.append(bytes.substr(copied));
}

std::size_t RepairedText::original(std::size_t offset) const {
    // The replacement of bad byte n (from 0) begins at m_bad[n] + 2n in the repaired text, because each
    // replacement before it is two bytes longer.
    std::size_t first = 0, last = m_bad.size();
    while (first < last) {
        const std::size_t middle = first + (last - first) / 2;
        if (m_bad[middle] + 2 * middle < offset)
            first = middle + 1;
        else
            last = middle;
    }
    if (first == 0)
        return offset;
    const std::size_t start = m_bad[first - 1] + 2 * (first - 1);
    return offset < start + 3 ? m_bad[first - 1] + 1 : offset - 2 * first;
}

} // namespace fovea
