#include "core/files/Sniff.h"
#include <algorithm>
#include <array>
#include <utility>

namespace fovea {

namespace {

using namespace std::string_view_literals;

bool startsWithIgnoringCase(std::string_view bytes, std::string_view lower) {
    return bytes.size() >= lower.size() &&
           std::equal(lower.begin(), lower.end(), bytes.begin(),
                      [](char want, char c) { return want == (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); });
}

constexpr std::array kMagics{
    std::pair{"PK\3\4"sv, "a ZIP archive (a model may be inside: unpack it)"sv},
    std::pair{"version https://git-lfs"sv, "a Git LFS pointer, not the model itself"sv},
    std::pair{"\x1F\x8B"sv, "a gzip archive"sv},
    std::pair{"\x28\xB5\x2F\xFD"sv, "a Zstandard archive"sv},
    std::pair{"\xFD"
              "7zXZ"sv,
              "an XZ archive"sv},
    std::pair{"7z\xBC\xAF"sv, "a 7-Zip archive"sv},
    std::pair{"\x89HDF"sv, "an HDF5 file"sv},
    std::pair{"%PDF"sv, "a PDF document"sv},
    std::pair{"\x89PNG"sv, "a PNG picture"sv},
    std::pair{"\x7F"
              "ELF"sv,
              "a program"sv},
    std::pair{"tjgg"sv, "a GGJT file, an old format of the GGUF family"sv},
    std::pair{"lmgg"sv, "a GGML file, an old format of the GGUF family"sv},
    std::pair{"fmgg"sv, "a GGMF file, an old format of the GGUF family"sv},
    std::pair{"FUGG"sv, "a GGUF file with swapped bytes"sv},
};

} // namespace

bool looksLikePickle(std::string_view bytes) {
    return bytes.size() >= 2 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5;
}

std::string describeFirstBytes(std::string_view bytes) {
    for (const auto& [magic, what] : kMagics)
        if (bytes.substr(0, magic.size()) == magic)
            return std::string(what);
    if (looksLikePickle(bytes))
        return "a Python pickle";
    if (bytes.size() > 8 && bytes[8] == '{' &&
        std::all_of(bytes.begin() + 4, bytes.begin() + 8, [](char c) { return c == 0; }))
        return "a safetensors file";
    const auto text = bytes.substr(std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size()));
    if (startsWithIgnoringCase(text, "<!doctype html") || startsWithIgnoringCase(text, "<html"))
        return "an HTML page, perhaps the error page of a failed download";
    if (!text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
            const auto b = static_cast<unsigned char>(c);
            return b >= 0x20 ? b != 0x7F : c == '\n' || c == '\r' || c == '\t';
        }))
        return text.front() == '{' ? "a JSON text" : "a text";
    return {};
}

} // namespace fovea
