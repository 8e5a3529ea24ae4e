#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fovea {

/// A model file that Fovea knows by name. app/fetch-model gets the same files.
struct CatalogueEntry {
    std::string_view name; ///< "smollm2"
    std::string_view file; ///< in the cache folder
    std::uint64_t bytes;
    std::string_view sha256;
};

[[nodiscard]] std::span<const CatalogueEntry> catalogue();

/// $FOVEA_CACHE, else $XDG_CACHE_HOME/fovea, else ~/.cache/fovea.
[[nodiscard]] std::string cacheFolder();

} // namespace fovea
