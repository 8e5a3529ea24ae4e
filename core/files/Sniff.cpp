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

struct Document {
    std::string_view kind;       ///< the value of the key "fovea"; empty: no such key
    bool describesModel = false; ///< has a key that config.json has
};

/// What the keys of the outermost object that `bytes` begin say. All is empty for another document.
Document documentOf(std::string_view bytes) {
    if (bytes.starts_with("\xEF\xBB\xBF"))
        bytes.remove_prefix(3); // a byte order mark
    const std::string_view text = skipSpace(bytes);
    Document document;
    if (!text.starts_with('{'))
        return document;
    int depth = 0;
    bool found = false; // the key stands right before
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '"') {
            const std::size_t begin = ++at;
            for (; at < text.size() && text[at] != '"'; ++at)
                at += text[at] == '\\' ? 1 : 0;
            const std::string_view word = text.substr(begin, at - begin);
            if (found) {
                document.kind = word;
                return document;
            }
            const bool isKey =
                depth == 1 && at < text.size() && skipSpace(text.substr(at + 1)).starts_with(':');
            found = isKey && word == "fovea";
            document.describesModel =
                document.describesModel ||
                (isKey && (word == "model_type" || word == "architectures" || word == "weight_map"));
        } else if (c == '{' || c == '[') {
            ++depth;
            found = false;
        } else if (c == '}' || c == ']') {
            if (--depth == 0)
                return document;
        } else if (c == ',') {
            found = false;
        }
    }
    return document;
}

} // namespace

Content contentOf(std::string_view bytes) {
    if (bytes.empty())
        return Content::Nothing;
    // The magic is four letters, which a text may begin with; the version number after it has zero bytes.
    if (bytes.starts_with("GGUF") && bytes.substr(4, 4).find('\0') != std::string_view::npos)
        return Content::Gguf;
    if (looksLikePickle(bytes))
        return Content::Pickle;
    if (looksLikeSafetensors(bytes))
        return Content::Safetensors;
    if (bytes.find('\0') != std::string_view::npos)
        return Content::Binary;
    const Document document = documentOf(bytes);
    if (document.kind == "policy")
        return Content::Policy;
    if (document.kind == "session")
        return Content::Session;
    if (document.kind == "lesson")
        return Content::Lesson;
    return document.kind.empty() && document.describesModel ? Content::Config : Content::Text;
}

std::string nameContradicts(std::string_view name, Content content) {
    const bool text = content == Content::Text || content == Content::Nothing;
    const auto named = [&](std::string_view ending) {
        return name.size() >= ending.size() &&
               startsWithIgnoringCase(name.substr(name.size() - ending.size()), ending);
    };
    if (named(".gguf") && content != Content::Gguf)
        return std::string(name) +
               (text                              ? " is a text"
                : content == Content::Binary      ? " is damaged"
                : content == Content::Safetensors ? " is a safetensors file"
                : content == Content::Pickle      ? " is a Python pickle"
                                                  : " is a JSON document") +
               ", not a GGUF model";
    if (named(".safetensors") && content != Content::Safetensors)
        return std::string(name) + (text ? " is a text" : " is another kind of file") +
               ", not a safetensors file";
    if (named(".json") && text)
        return std::string(name) + " is no policy, session or lesson of Fovea, which have the key \"fovea\"";
    return {};
}

bool looksLikePickle(std::string_view bytes) {
    if (bytes.size() >= 2 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5)
        return !looksLikeSafetensors(bytes); // whose header may have 640 bytes
    // The local header of a ZIP archive: the length of the name at byte 26, the name at byte 30.
    if (!bytes.starts_with("PK\3\4") || bytes.size() < 30)
        return false;
    const auto length = static_cast<std::size_t>(static_cast<unsigned char>(bytes[26])) |
                        static_cast<std::size_t>(static_cast<unsigned char>(bytes[27])) << 8U;
    const std::string_view member = bytes.substr(30, length);
    return member == "data.pkl" || member.ends_with("/data.pkl");
}

bool looksLikeSafetensors(std::string_view bytes) {
    constexpr std::uint64_t kMostHeader = 100'000'000;
    if (bytes.size() <= 8 || bytes[8] != '{')
        return false;
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < 8; ++i)
        length |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    return length >= 2 && length <= kMostHeader;
}

std::string describeFirstBytes(std::string_view bytes) {
    if (looksLikePickle(bytes))
        return "a Python pickle";
    for (const auto& [magic, what] : kMagics)
        if (bytes.substr(0, magic.size()) == magic)
            return std::string(what);
    if (looksLikeSafetensors(bytes))
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
