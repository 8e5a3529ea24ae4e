#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace fovea {

/// What a file that is not the wanted one looks like, by its first bytes (some 512 are enough): "a ZIP
/// archive", "an HTML page", "a Git LFS pointer, not the model itself". Empty when unknown.
[[nodiscard]] std::string describeFirstBytes(std::string_view bytes);

/// What a file is to Fovea. Commands and window ask here.
enum class Content : std::uint8_t {
    Nothing, ///< no byte
    Gguf,    ///< a GGUF model, of either byte order
    Policy,  ///< a JSON object with "fovea": "policy"
    Session, ///< a JSON object with "fovea": "session"
    Text,    ///< anything else without a zero byte, also other JSON
    Binary,  ///< holds a zero byte
};

/// By the first bytes and never by the name; 64 KiB are enough. The key "fovea" counts where it is a key of
/// the object itself, which Fovea writes first.
[[nodiscard]] Content contentOf(std::string_view bytes);

/// A sentence when the name promises something else ("notes.gguf", "settings.json" without "fovea"), else
/// empty: "notes.gguf is a text, not a GGUF model". `name` is shown as it is.
[[nodiscard]] std::string nameContradicts(std::string_view name, Content content);

/// A pickle: PyTorch's old format, which can run code.
[[nodiscard]] bool looksLikePickle(std::string_view bytes);

} // namespace fovea
