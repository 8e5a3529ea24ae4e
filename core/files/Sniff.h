#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace fovea {

/// Describes a file of the wrong kind by its first bytes (512 are enough): "a ZIP archive", "an HTML page",
/// "a Git LFS pointer, not the model itself". Empty when it is not recognised.
[[nodiscard]] std::string describeFirstBytes(std::string_view bytes);

/// The kind of a file. Used by commands and window.
enum class Content : std::uint8_t {
    Nothing,     ///< no byte
    Gguf,        ///< a GGUF model, of either byte order
    Safetensors, ///< weights of a folder with config.json
    Config, ///< a JSON object with "model_type" or "architectures": the config.json of such a folder; or with
            ///< "weight_map": its index of shards
    Pickle, ///< a Python pickle, plain or in the ZIP archive of PyTorch
    Policy, ///< a JSON object with "fovea": "policy"
    Session, ///< a JSON object with "fovea": "session"
    Lesson,  ///< a JSON object with "fovea": "lesson"
    Text,    ///< anything else without a zero byte, also other JSON
    Binary,  ///< holds a zero byte
};

/// Determined by the first bytes (64 KiB are enough) and never by the name. The key "fovea" must be a key of
/// the outermost object; Fovea writes it first.
[[nodiscard]] Content contentOf(std::string_view bytes);

/// A sentence if the name suggests another kind ("notes.gguf is a text, not a GGUF model"); otherwise empty.
/// `name` is shown unchanged.
[[nodiscard]] std::string nameContradicts(std::string_view name, Content content);

inline constexpr std::string_view kPickleRefusal =
    "this is a Python pickle. A pickle can run code. Convert it to safetensors.";

/// Whether a file of safetensors starts like this: the length of a header of at most 100 MB, then '{'.
[[nodiscard]] bool looksLikeSafetensors(std::string_view bytes);
/// Whether the bytes look like a Python pickle, which can run code when it is loaded: a plain one, PyTorch's
/// old format, or PyTorch's ZIP archive, whose first member is data.pkl.
[[nodiscard]] bool looksLikePickle(std::string_view bytes);

} // namespace fovea
