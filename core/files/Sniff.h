#pragma once
#include <string>
#include <string_view>

namespace fovea {

/// What a file that is not the wanted one looks like, by its first bytes (some 512 are enough): "a ZIP
/// archive", "an HTML page", "a Git LFS pointer, not the model itself". Empty when unknown.
[[nodiscard]] std::string describeFirstBytes(std::string_view bytes);

/// A pickle: PyTorch's old format, which can run code.
[[nodiscard]] bool looksLikePickle(std::string_view bytes);

} // namespace fovea
