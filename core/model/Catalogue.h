#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fovea {

/// A model that Fovea knows by name: a file, or a folder. The script app/fetch-model downloads the same.
struct CatalogueEntry {
    std::string_view name;         ///< "smollm2"
    std::string_view architecture; ///< its general.architecture
    std::string_view file;         ///< its name in the cache folder
    std::uint64_t bytes;
    std::string_view sha256;
};

[[nodiscard]] std::span<const CatalogueEntry> catalogue();

/// $FOVEA_CACHE, else $XDG_CACHE_HOME/fovea, else ~/.cache/fovea; without $HOME the home folder of the user.
/// Empty when the user has none either.
[[nodiscard]] std::string cacheFolder();

} // namespace fovea
