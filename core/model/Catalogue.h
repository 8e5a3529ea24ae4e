#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fovea {

/// A model file that Fovea knows by name. The script app/fetch-model downloads the same files. Not every one
/// runs in this build.
struct CatalogueEntry {
    std::string_view name;         ///< "smollm2"
    std::string_view architecture; ///< its general.architecture
    std::string_view file;         ///< file name in the cache folder
    std::uint64_t bytes;
    std::string_view sha256;
    /// Whether this build runs its architecture (Family.h).
    [[nodiscard]] bool runs() const;
};

[[nodiscard]] std::span<const CatalogueEntry> catalogue();

/// $FOVEA_CACHE, else $XDG_CACHE_HOME/fovea, else ~/.cache/fovea; without $HOME the home folder of the user.
/// Empty when the user has none either.
[[nodiscard]] std::string cacheFolder();

} // namespace fovea
