#include "core/files/Base64.h"
#include <algorithm>
#include <openssl/evp.h>

namespace fovea {

namespace {

// libcrypto counts in int; pieces of this size (a multiple of 3 and of 4) need no state between them.
constexpr std::size_t kCodedAtOnce = std::size_t{3} << 20;

const unsigned char* unsignedBytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

} // namespace

std::string toBase64(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    std::string piece((std::min(kCodedAtOnce, bytes.size()) + 2) / 3 * 4 + 1,
                      '\0'); // the call ends its text with a zero
    for (std::size_t at = 0; at < bytes.size(); at += kCodedAtOnce) {
        const std::string_view part = bytes.substr(at, kCodedAtOnce);
        const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(piece.data()), unsignedBytes(part),
                                      static_cast<int>(part.size()));
        text.append(piece, 0, static_cast<std::size_t>(n));
    }
    return text;
}

Result<std::string> fromBase64(std::string_view text) {
    if (text.size() % 4 != 0)
        return fail(ErrorCode::BadValue,
                    std::to_string(text.size()) + " characters of base64; a multiple of 4 is accepted");
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    // The call skips white space and stops at a padding in the middle; neither is accepted here.
    const auto foreign =
        std::find_if(text.begin(), text.end() - static_cast<std::ptrdiff_t>(padding), [](char c) {
            return !((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
                     c == '/');
        });
    if (foreign != text.end() - static_cast<std::ptrdiff_t>(padding))
        return fail(ErrorCode::BadValue,
                    "character " + std::to_string(foreign - text.begin()) +
                        " is not of base64's alphabet; A-Z, a-z, 0-9, + and / are accepted");
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3);
    std::string piece(std::min(kCodedAtOnce, text.size()) / 4 * 3, '\0');
    for (std::size_t at = 0; at < text.size(); at += kCodedAtOnce) {
        const std::string_view part = text.substr(at, kCodedAtOnce);
        const int n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(piece.data()), unsignedBytes(part),
                                      static_cast<int>(part.size()));
        if (n < 0)
            return fail(ErrorCode::BadValue, "the text is not base64");
        bytes.append(piece, 0, static_cast<std::size_t>(n));
    }
    bytes.erase(bytes.end() - static_cast<std::ptrdiff_t>(padding),
                bytes.end()); // the call gives zeros for it
    return bytes;
}

} // namespace fovea
