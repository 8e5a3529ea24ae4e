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

std::string_view skipSpace(std::string_view text) {
    return text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
}

/// The value of the key "fovea" of the object that `bytes` begin; empty: another document, or no such key.
std::string_view documentKind(std::string_view bytes) {
    if (bytes.starts_with("\xEF\xBB\xBF"))
        bytes.remove_prefix(3); // a byte order mark
    const std::string_view text = skipSpace(bytes);
    if (!text.starts_with('{'))
        return {};
    int depth = 0;
    bool found = false; // the key stands right before
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '"') {
            const std::size_t begin = ++at;
            for (; at < text.size() && text[at] != '"'; ++at)
                at += text[at] == '\\' ? 1 : 0;
            const std::string_view word = text.substr(begin, at - begin);
            if (found)
                return word;
            found = depth == 1 && word == "fovea" && at < text.size() &&
                    skipSpace(text.substr(at + 1)).starts_with(':');
        } else if (c == '{' || c == '[') {
            ++depth;
            found = false;
        } else if (c == '}' || c == ']') {
            if (--depth == 0)
                return {};
        } else if (c == ',') {
            found = false;
        }
    }
    return {};
}

} // namespace

Content contentOf(std::string_view bytes) {
    if (bytes.empty())
        return Content::Nothing;
    // The magic is four letters, which a text may begin with; the version number after it has zero bytes.
    if (bytes.starts_with("GGUF") && bytes.substr(4, 4).find('\0') != std::string_view::npos)
        return Content::Gguf;
    if (bytes.find('\0') != std::string_view::npos)
        return Content::Binary;
    const std::string_view kind = documentKind(bytes);
    return kind == "policy" ? Content::Policy : kind == "session" ? Content::Session : Content::Text;
}

std::string nameContradicts(std::string_view name, Content content) {
    const bool text = content == Content::Text || content == Content::Nothing;
    const auto named = [&](std::string_view ending) {
        return name.size() >= ending.size() &&
               startsWithIgnoringCase(name.substr(name.size() - ending.size()), ending);
    };
    if (named(".gguf") && content != Content::Gguf)
        return std::string(name) +
               (text                         ? " is a text"
                : content == Content::Binary ? " is damaged"
                                             : " is a JSON document") +
               ", not a GGUF model";
    if (named(".json") && text)
        return std::string(name) + " is no policy and no session of Fovea, which have the key \"fovea\"";
    return {};
}

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
