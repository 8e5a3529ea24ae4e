#include "core/text/ByteAlphabet.h"
#include "core/text/Utf8.h"

namespace fovea {

namespace {
constexpr bool standsForItself(unsigned byte) {
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}
constexpr std::size_t kLetters = 256 + 68;

constexpr std::array<char32_t, 256> makeLetters() {
    std::array<char32_t, 256> letters{};
    char32_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte)
        letters[byte] = standsForItself(byte) ? static_cast<char32_t>(byte) : next++;
    return letters;
}
constexpr std::array<char32_t, 256> kLetterOfByte = makeLetters();

constexpr std::array<std::int16_t, kLetters> makeBytes() {
    std::array<std::int16_t, kLetters> bytes{};
    bytes.fill(-1);
    for (unsigned byte = 0; byte < 256; ++byte)
        bytes[kLetterOfByte[byte]] = static_cast<std::int16_t>(byte);
    return bytes;
}
constexpr std::array<std::int16_t, kLetters> kByteOfLetter = makeBytes();
} // namespace

const std::array<char32_t, 256>& byteLetters() {
    return kLetterOfByte;
}

std::optional<std::string> bytesOfLetters(std::string_view token) {
    std::string bytes;
    bytes.reserve(token.size());
    for (std::size_t at = 0; at < token.size();) {
        const CodePoint c = decodeUtf8(token, at);
        if (!c.valid || c.value >= kLetters || kByteOfLetter[c.value] < 0)
            return std::nullopt;
        bytes.push_back(static_cast<char>(kByteOfLetter[c.value]));
        at += c.length;
    }
    return bytes;
}

} // namespace fovea
