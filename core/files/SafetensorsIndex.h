#pragma once
#include "core/base/Result.h"
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fovea {

/// model.safetensors.index.json: which file of the folder holds which tensor.
struct SafetensorsIndex {
    std::vector<std::string> shards;                      ///< plain file names, sorted
    std::unordered_map<std::string, std::size_t> shardOf; ///< tensor name to index in `shards`
};

/// Most bytes of an index that are read.
inline constexpr std::size_t kMostIndexBytes = std::size_t{16} << 20;

/// File names must consist of letters, digits, '.', '_' and '-' and end in ".safetensors", so that none leads
/// out of the folder; at most 1,024 different ones are accepted. Errors: Damaged, Inconsistent, TooLarge.
[[nodiscard]] Result<SafetensorsIndex> readSafetensorsIndex(std::string_view json);

} // namespace fovea
