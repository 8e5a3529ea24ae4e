#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fovea {

/// A model file that Fovea knows by name. app/fetch-model gets the same files; not every one runs in this
/// build.
struct CatalogueEntry {
    std::string_view name;         ///< "smollm2"
    std::string_view architecture; ///< its general.architecture
    std::string_view file;         ///< in the cache folder
    std::uint64_t bytes;
    std::string_view sha256;
    /// Is its architecture among those that this build runs (runnableArchitectures)?
    [[nodiscard]] bool runs() const;
};

[[nodiscard]] std::span<const CatalogueEntry> catalogue();

/// $FOVEA_CACHE, else $XDG_CACHE_HOME/fovea, else ~/.cache/fovea; without $HOME the home folder of the user.
/// Empty when the user has none either.
[[nodiscard]] std::string cacheFolder();

} // namespace fovea
